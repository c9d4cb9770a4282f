package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/segmentio/kafka-go"
)

func enlarge(ctx context.Context, partitions int32) error {
	wanted := []kafka.TopicPartitionsConfig{{Name: topic, Count: partitions}}
	answer, err := client.CreatePartitions(ctx, &kafka.CreatePartitionsRequest{Topics: wanted})
	if err != nil {
		return err
	}
	return answer.Errors[topic]
}

// Whether the topic is there with so many partitions; none is for one that is gone.
func hasPartitions(ctx context.Context, partitions int) func() (bool, error) {
	return func() (bool, error) {
		told, err := client.Metadata(ctx, &kafka.MetadataRequest{})
		if err != nil {
			return false, err
		}
		for _, one := range told.Topics {
			if one.Name == topic {
				return len(one.Partitions) == partitions, nil
			}
		}
		return partitions == 0, nil
	}
}

func described(ctx context.Context) (map[string]string, error) {
	asked := []kafka.DescribeConfigRequestResource{{ResourceType: kafka.ResourceTypeTopic, ResourceName: topic}}
	answer, err := client.DescribeConfigs(ctx, &kafka.DescribeConfigsRequest{Resources: asked})
	if err != nil {
		return nil, err
	}
	configs := map[string]string{}
	for _, one := range answer.Resources[0].ConfigEntries {
		configs[one.ConfigName] = one.ConfigValue
	}
	return configs, answer.Resources[0].Error
}

func topics(ctx context.Context) error {
	if err := create(ctx, 2, kafka.ConfigEntry{ConfigName: "max.message.bytes", ConfigValue: "70000"}); err != nil {
		return err
	}
	if err := create(ctx, 2); !errors.Is(err, kafka.TopicAlreadyExists) {
		return fmt.Errorf("made twice: %w", err)
	}
	if err := until("two partitions", hasPartitions(ctx, 2)); err != nil {
		return err
	}
	if err := enlarge(ctx, 3); err != nil {
		return err
	}
	if err := until("three partitions", hasPartitions(ctx, 3)); err != nil {
		return err
	}
	if err := errors.Join(settings(ctx), replicas(ctx)); err != nil {
		return err
	}
	deleted, err := client.DeleteTopics(ctx, &kafka.DeleteTopicsRequest{Topics: []string{topic}})
	if err != nil || deleted.Errors[topic] != nil {
		return errors.Join(err, deleted.Errors[topic])
	}
	return until("deleted", hasPartitions(ctx, 0))
}

func settings(ctx context.Context) error {
	configs, err := described(ctx)
	if err != nil || len(configs) < 20 || configs["max.message.bytes"] != "70000" {
		return fmt.Errorf("at first %v, %w", configs, err)
	}
	altered, err := client.IncrementalAlterConfigs(ctx, &kafka.IncrementalAlterConfigsRequest{Resources: []kafka.IncrementalAlterConfigsRequestResource{{
		ResourceType: kafka.ResourceTypeTopic, ResourceName: topic, Configs: []kafka.IncrementalAlterConfigsRequestConfig{
			{Name: "max.message.bytes", ConfigOperation: kafka.ConfigOperationDelete},
			{Name: "retention.ms", Value: "86400000", ConfigOperation: kafka.ConfigOperationSet},
		},
	}}})
	if err != nil || altered.Resources[0].Error != nil {
		return fmt.Errorf("altered: %v, %w", altered, err)
	}
	told := func(bytes, milliseconds string) func() (bool, error) {
		return func() (bool, error) {
			configs, err := described(ctx)
			return configs["max.message.bytes"] == bytes && configs["retention.ms"] == milliseconds, err
		}
	}
	if err := until("one taken back and one set", told("1048588", "86400000")); err != nil {
		return err
	}
	replaced, err := client.AlterConfigs(ctx, &kafka.AlterConfigsRequest{Resources: []kafka.AlterConfigRequestResource{{
		ResourceType: kafka.ResourceTypeTopic, ResourceName: topic, Configs: []kafka.AlterConfigRequestConfig{{Name: "max.message.bytes", Value: "80000"}},
	}}})
	if err != nil {
		return err
	}
	for _, refused := range replaced.Errors {
		err = errors.Join(err, refused)
	}
	return errors.Join(err, until("all replaced", told("80000", "604800000")))
}

func replicas(ctx context.Context) error {
	told, err := client.Metadata(ctx, &kafka.MetadataRequest{Topics: []string{topic}})
	if err != nil {
		return err
	}
	node := told.Topics[0].Partitions[0].Leader.ID
	elected, err := client.ElectLeaders(ctx, &kafka.ElectLeadersRequest{Topic: topic, Partitions: []int{0, 1, 2}, Timeout: patience})
	if err != nil || elected.Error != nil || len(elected.PartitionResults) != 3 {
		return fmt.Errorf("elected %v, %w", elected, err)
	}
	for _, one := range elected.PartitionResults {
		if one.Error != nil && !errors.Is(one.Error, kafka.ElectionNotNeeded) {
			return fmt.Errorf("elected %v", one)
		}
	}
	moved, err := client.AlterPartitionReassignments(ctx, &kafka.AlterPartitionReassignmentsRequest{
		Topic: topic, Timeout: patience, Assignments: []kafka.AlterPartitionReassignmentsRequestAssignment{{PartitionID: 0, BrokerIDs: []int{node}}},
	})
	if err != nil || moved.Error != nil {
		return fmt.Errorf("moved %v, %w", moved, err)
	}
	return until("no move is left", func() (bool, error) {
		listed, err := client.ListPartitionReassignments(ctx, &kafka.ListPartitionReassignmentsRequest{Timeout: patience})
		if err != nil {
			return false, err
		}
		return len(listed.Topics[topic].Partitions) == 0, listed.Error
	})
}

func groupAdmin(ctx context.Context) error {
	if err := create(ctx, 1); err != nil {
		return err
	}
	if err := send(ctx, numbered(0, 100)); err != nil {
		return err
	}
	moved, err := client.OffsetCommit(ctx, &kafka.OffsetCommitRequest{
		GroupID: group, GenerationID: -1, Topics: map[string][]kafka.OffsetCommit{topic: {{Partition: 0, Offset: 90, Metadata: "moved"}}},
	})
	if err != nil || moved.Topics[topic][0].Error != nil {
		return fmt.Errorf("moved %v, %w", moved, err)
	}
	one := join(ctx, false)
	if err := until("the last ten", haveRead(10, one)); err != nil {
		return err
	}
	if err := one.leave(); err != nil {
		return err
	}
	if len(one.seen) != 10 || one.seen[0].Offset != 90 {
		return fmt.Errorf("read %v", one.seen)
	}
	listed, err := client.ListGroups(ctx, &kafka.ListGroupsRequest{})
	isOurs := func(listed kafka.ListGroupsResponseGroup) bool { return listed.GroupID == group }
	if err != nil || !slices.ContainsFunc(listed.Groups, isOurs) {
		return fmt.Errorf("listed %v, %w", listed, err)
	}
	return emptied(ctx)
}

// Takes the offset away, then the group.
func emptied(ctx context.Context) error {
	if offsets, err := committed(ctx, 0); err != nil || offsets[0] != 100 {
		return fmt.Errorf("committed %v, %w", offsets, err)
	}
	taken, err := client.OffsetDelete(ctx, &kafka.OffsetDeleteRequest{GroupID: group, Topics: map[string][]int{topic: {0}}})
	if err != nil || taken.Error != nil || taken.Topics[topic][0].Error != nil {
		return fmt.Errorf("deleted %v, %w", taken, err)
	}
	if offsets, err := committed(ctx, 0); err != nil || offsets[0] != -1 {
		return fmt.Errorf("then %v, %w", offsets, err)
	}
	deleted, err := client.DeleteGroups(ctx, &kafka.DeleteGroupsRequest{GroupIDs: []string{group}})
	if err != nil || deleted.Errors[group] != nil {
		return fmt.Errorf("deleted %v, %w", deleted, err)
	}
	told, err := client.DescribeGroups(ctx, &kafka.DescribeGroupsRequest{GroupIDs: []string{group}})
	if err != nil || told.Groups[0].GroupState != "Dead" {
		return fmt.Errorf("the group is %v, %w", told, err)
	}
	return nil
}
