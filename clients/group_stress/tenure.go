package main

import (
	"maps"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// tenure is what one member of the consumer protocol (KIP-848) holds, by what it and the coordinator said to each other: a partition
// from the answer that gives it to the request that no longer names it. The account's lock guards it.
type tenure struct {
	// The member's own epoch; 0 before the first answer, and once it was thrown out.
	epoch int32
	// By partition that it holds, the epoch in which it was given to it.
	gained map[int32]int32
	// What the last assignment names: who is to give something up holds more.
	assigned []int32
	// By partition that it was given, the floor of the offsets then.
	floor []int64
}

func newTenure(partitions int) *tenure {
	return &tenure{gained: map[int32]int32{}, floor: make([]int64, partitions)}
}

func (t *tenure) end() {
	t.epoch, t.assigned = 0, nil
	clear(t.gained)
}

// heir is who was given a partition in the newest epoch, and when.
type heir struct {
	owner  string
	epoch  int32
	moment int64
}

// asks notes a heartbeat that is about to leave, and gives back its moment in the order of all that is noted.
func (a *account) asks(t *tenure, request *kmsg.ConsumerGroupHeartbeatRequest) int64 {
	a.lock.Lock()
	defer a.lock.Unlock()
	a.moment++
	if request.MemberEpoch <= 0 {
		// It joins or leaves, with nothing in its hands.
		t.end()
	} else if request.Topics != nil {
		named := map[int32]bool{}
		for _, topic := range request.Topics {
			for _, partition := range topic.Partitions {
				named[partition] = true
			}
		}
		for partition := range t.gained {
			if !named[partition] && !a.forgetsRelease() {
				delete(t.gained, partition)
				a.released++
			}
		}
	}
	return a.moment
}

// answered notes the answer to a heartbeat. The claims are two.
//
// By epochs: those in which a partition is one member's are never another's. A member keeps what is in two assignments in a row in all
// epochs between them.
//
// By order: a partition is given on once its holder has said that it gave it up, or was thrown out. Whoever holds a partition that
// another was given in a newer epoch may not be answered as a member any more, if it asks after the other was told.
func (a *account) answered(t *tenure, owner string, asked question, answer *kmsg.ConsumerGroupHeartbeatResponse) {
	a.lock.Lock()
	defer a.lock.Unlock()
	switch answer.ErrorCode {
	case 0:
	case kerr.UnknownMemberID.Code, kerr.FencedMemberEpoch.Code:
		t.end()
		return
	default:
		return
	}
	if asked.request.MemberEpoch < 0 {
		return
	}
	if answer.MemberEpoch < t.epoch {
		a.judge.fault("gone back: %s: %s was in epoch %d and is told %d", a.group, owner, t.epoch, answer.MemberEpoch)
	}
	for partition, gained := range t.gained {
		if heir := a.heirs[partition]; heir.owner != owner && heir.epoch > gained && heir.moment < asked.moment {
			a.judge.fault("two owners: %s partition %d was given to %s in epoch %d, and %s, who has held it since epoch %d, is still a member in epoch %d",
				a.group, partition, heir.owner, heir.epoch, owner, gained, answer.MemberEpoch)
		}
	}
	before := t.assigned
	if answer.Assignment != nil {
		a.give(t, owner, answer)
	}
	for _, partition := range t.assigned {
		first := answer.MemberEpoch
		if t.epoch > 0 && slices.Contains(before, partition) {
			first = min(t.epoch+1, answer.MemberEpoch)
		}
		for epoch := first; epoch <= answer.MemberEpoch; epoch++ {
			a.own(owner, epoch, partition)
		}
	}
	t.epoch, a.epoch = answer.MemberEpoch, max(a.epoch, answer.MemberEpoch)
}

// give takes over a new assignment.
func (a *account) give(t *tenure, owner string, answer *kmsg.ConsumerGroupHeartbeatResponse) {
	t.assigned = nil
	for _, topic := range answer.Assignment.Topics {
		t.assigned = append(t.assigned, topic.Partitions...)
	}
	for _, partition := range t.assigned {
		if _, holds := t.gained[partition]; holds {
			continue
		}
		t.gained[partition], t.floor[partition] = answer.MemberEpoch, a.floor[partition]
		if answer.MemberEpoch > a.heirs[partition].epoch {
			a.moment++
			a.heirs[partition] = heir{owner, answer.MemberEpoch, a.moment}
			a.fences[partition] = answer.MemberEpoch
		}
	}
}

// holds is the member's epoch and all that it holds; false while it is no member.
func (a *account) holds(t *tenure) (int32, []int32, bool) {
	a.lock.Lock()
	defer a.lock.Unlock()
	return t.epoch, slices.Sorted(maps.Keys(t.gained)), t.epoch > 0
}

func (a *account) floorOf(t *tenure) []int64 {
	a.lock.Lock()
	defer a.lock.Unlock()
	return slices.Clone(t.floor)
}
