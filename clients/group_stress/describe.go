package main

import (
	"context"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kadm"
)

// description is what the broker says about a group of either protocol.
type description struct {
	state   string
	members map[string]standing
	err     error
}

// standing is how one member stands in its group.
type standing struct {
	// The member's own epoch; none in the classic protocol, which tells no generation.
	epoch      int32
	partitions []int32
}

// describe asks for each group in its own protocol.
func (t *trial) describe(ctx context.Context, groups []*group) (map[string]description, error) {
	var classic, consumer []string
	for _, one := range groups {
		if one.kind.server {
			consumer = append(consumer, one.name)
		} else {
			classic = append(classic, one.name)
		}
	}
	all := map[string]description{}
	if len(classic) > 0 {
		described, err := t.describer.DescribeGroups(ctx, classic...)
		if err != nil {
			return nil, err
		}
		for name, one := range described {
			all[name] = classicDescription(one)
		}
	}
	if len(consumer) > 0 {
		described, err := t.describer.DescribeConsumerGroups(ctx, consumer...)
		if err != nil {
			return nil, err
		}
		for name, one := range described {
			all[name] = consumerDescription(one)
		}
	}
	return all, nil
}

func classicDescription(described kadm.DescribedGroup) description {
	one := description{state: described.State, members: map[string]standing{}, err: described.Err}
	for _, member := range described.Members {
		assigned, ok := member.Assigned.AsConsumer()
		if !ok && one.err == nil {
			one.err = fmt.Errorf("%s is %s, and %s has no assignment", described.Group, described.State, member.MemberID)
			continue
		}
		partitions := []int32{}
		if ok {
			for _, topic := range assigned.Topics {
				partitions = append(partitions, topic.Partitions...)
			}
		}
		slices.Sort(partitions)
		one.members[member.MemberID] = standing{none, partitions}
	}
	return one
}

func consumerDescription(described kadm.DescribedConsumerGroup) description {
	one := description{state: described.State, members: map[string]standing{}, err: described.Err}
	for _, member := range described.Members {
		partitions := []int32{}
		for _, topic := range member.Assignment.Sorted() {
			partitions = append(partitions, topic.Partitions...)
		}
		slices.Sort(partitions)
		one.members[member.MemberID] = standing{member.MemberEpoch, partitions}
	}
	return one
}
