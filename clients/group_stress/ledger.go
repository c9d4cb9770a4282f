package main

import (
	"fmt"
	"maps"
	"slices"
	"sync"
)

const faultsShown = 20

// judge gathers what must not be.
type judge struct {
	lock   sync.Mutex
	faults []string
	count  int
}

func (j *judge) fault(format string, values ...any) {
	j.lock.Lock()
	defer j.lock.Unlock()
	j.count++
	if len(j.faults) < faultsShown {
		j.faults = append(j.faults, fmt.Sprintf(format, values...))
	}
}

// holding is a partition in an epoch: a generation of the classic protocol.
type holding struct {
	epoch     int32
	partition int32
}

// account is what one group's members saw of it: who owned what when, what was committed, what was read.
//
// Ownership is kept by epoch, for members that are told their epoch with their partitions; in the classic protocol all members of
// a generation are told the same one. Where epochs are each member's own (KIP-848), see tenure.
type account struct {
	judge *judge
	group string

	lock sync.Mutex
	// Who was told that it owns a partition, and who still held it when it joined.
	owners map[holding]string
	claims map[holding]string
	// The newest epoch that anybody was told.
	epoch int32
	// By partition, the epoch below which no commit may be taken that goes out from now on.
	fences []int32
	// Of the consumer protocol: by partition, who was given it last; how much was noted; how often a member gave up a partition.
	heirs    []heir
	moment   int64
	released int
	// Plants that a release is not noted.
	forgetsRelease func() bool
	// By partition: the largest offset whose commit was acknowledged or seen, and the largest that was sent.
	floor   []int64
	ceiling []int64
	read    []bitmap

	commits, refused, records, repeated int
	refusals                            map[string]int
}

func newAccount(judge *judge, group string, partitions int) *account {
	return &account{judge: judge, group: group, owners: map[holding]string{}, claims: map[holding]string{},
		fences: make([]int32, partitions), heirs: make([]heir, partitions), forgetsRelease: func() bool { return false },
		floor: make([]int64, partitions), ceiling: make([]int64, partitions), read: make([]bitmap, partitions), refusals: map[string]int{}}
}

// claim is what a member holds while it joins, since the epoch that it knows.
type claim struct {
	owner      string
	epoch      int32
	partitions []int32
}

// claimed notes what the members of a new epoch still hold, as its leader is told. Claims of an older epoch than others know are void,
// as for the leader: they are of members that were thrown out, or that missed something. Of two of the newest, one is of such a member
// that has joined in vain since; the leader gives the partition to either, so none of them counts.
func (a *account) claimed(epoch int32, claims []claim) {
	newest := int32(-1)
	for _, one := range claims {
		newest = max(newest, one.epoch)
	}
	a.lock.Lock()
	defer a.lock.Unlock()
	for partition := range a.floor {
		// An epoch that was begun and not told before a crash is begun again.
		delete(a.claims, holding{epoch, int32(partition)})
	}
	claimants := map[int32]int{}
	for _, one := range claims {
		if one.epoch != newest {
			continue
		}
		for _, partition := range one.partitions {
			a.claims[holding{epoch, partition}] = one.owner
			claimants[partition]++
		}
	}
	for partition, count := range claimants {
		if count > 1 {
			delete(a.claims, holding{epoch, partition})
		}
	}
}

// told notes what a member owns in an epoch. The floor of the offsets is given back: whoever fetches them from now on must not get less.
func (a *account) told(owner string, epoch int32, partitions []int32) []int64 {
	a.lock.Lock()
	defer a.lock.Unlock()
	a.epoch = max(a.epoch, epoch)
	for partition := range a.fences {
		a.fences[partition] = max(a.fences[partition], epoch)
	}
	for _, partition := range partitions {
		if other, taken := a.claims[holding{epoch, partition}]; taken && other != owner {
			a.judge.fault("two owners: %s generation %d partition %d was given to %s while %s held it", a.group, epoch, partition, owner, other)
		}
		a.own(owner, epoch, partition)
	}
	return slices.Clone(a.floor)
}

// own notes an owner of a partition in an epoch; the lock is held.
func (a *account) own(owner string, epoch, partition int32) {
	at := holding{epoch, partition}
	if other, taken := a.owners[at]; taken && other != owner {
		a.judge.fault("two owners: %s generation %d partition %d was given to %s and to %s", a.group, epoch, partition, other, owner)
	}
	a.owners[at] = owner
}

// sending is called before a commit leaves.
func (a *account) sending(offsets map[int32]int64) {
	a.lock.Lock()
	defer a.lock.Unlock()
	for partition, offset := range offsets {
		a.ceiling[partition] = max(a.ceiling[partition], offset)
	}
}

// fencesNow is by partition the epoch below which no commit may be taken that goes out from now on.
func (a *account) fencesNow() []int32 {
	a.lock.Lock()
	defer a.lock.Unlock()
	return slices.Clone(a.fences)
}

// acknowledged notes a commit that was taken, of a member in this epoch, and the fence when it went out.
func (a *account) acknowledged(member string, epoch, fence, partition int32, offset int64) {
	a.lock.Lock()
	defer a.lock.Unlock()
	a.commits++
	if epoch < fence {
		a.judge.fault("no fence: %s took a commit of %s in generation %d after generation %d was told", a.group, member, epoch, fence)
	}
	a.floor[partition] = max(a.floor[partition], offset)
}

func (a *account) refusal(name string) {
	a.lock.Lock()
	defer a.lock.Unlock()
	a.refused++
	a.refusals[name]++
}

func (a *account) floors() []int64 {
	a.lock.Lock()
	defer a.lock.Unlock()
	return slices.Clone(a.floor)
}

// fetched notes a committed offset as the broker tells it, -1 when there is none, beside the floor when it was asked.
func (a *account) fetched(who string, floor []int64, partition int32, offset int64) {
	a.lock.Lock()
	defer a.lock.Unlock()
	if max(offset, 0) < floor[partition] {
		a.judge.fault("gone back: %s partition %d: %s is told offset %d after %d was acknowledged or seen", a.group, partition, who, offset, floor[partition])
	}
	if offset > a.ceiling[partition] {
		a.judge.fault("invented: %s partition %d: %s is told offset %d, at most %d was ever committed", a.group, partition, who, offset, a.ceiling[partition])
	}
	a.floor[partition] = max(a.floor[partition], offset)
}

func (a *account) saw(partition int32, offset int64) {
	a.lock.Lock()
	defer a.lock.Unlock()
	a.records++
	if !a.read[partition].set(offset) {
		a.repeated++
	}
}

// unread is how many records below these ends nobody read.
func (a *account) unread(ends []int64) int64 {
	a.lock.Lock()
	defer a.lock.Unlock()
	missing := int64(0)
	for partition, end := range ends {
		missing += end - a.read[partition].below(end)
	}
	return missing
}

func (a *account) addTo(total *account) {
	a.lock.Lock()
	defer a.lock.Unlock()
	total.commits += a.commits
	total.refused += a.refused
	total.records += a.records
	total.repeated += a.repeated
	total.epoch += a.epoch
	total.released += a.released
	for name := range maps.Keys(a.refusals) {
		total.refusals[name] += a.refusals[name]
	}
}

type bitmap []uint64

// set is whether the bit was not set before.
func (b *bitmap) set(at int64) bool {
	for int64(len(*b)) <= at/64 {
		*b = append(*b, 0)
	}
	isNew := (*b)[at/64]&(1<<(at%64)) == 0
	(*b)[at/64] |= 1 << (at % 64)
	return isNew
}

func (b *bitmap) below(end int64) int64 {
	count := int64(0)
	for at := range end {
		if at/64 < int64(len(*b)) && (*b)[at/64]&(1<<(at%64)) != 0 {
			count++
		}
	}
	return count
}
