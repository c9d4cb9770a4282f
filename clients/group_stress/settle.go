package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
)

const lookEvery = 200 * time.Millisecond

// settling is how long the groups took to be whole after something.
type settling struct {
	after string
	took  []time.Duration
	// How many took longer than the timers of the group allow where nothing else runs on the machine.
	late int
}

func (s *settling) String() string {
	return fmt.Sprintf("%s: groups stable after median %.1f s, longest %.1f s, %d of %d late", s.after, s.median().Seconds(), s.longest().Seconds(), s.late, len(s.took))
}

func (s *settling) longest() time.Duration { return slices.Max(append(s.took, 0)) }

func (s *settling) median() time.Duration {
	sorted := slices.Sorted(slices.Values(append(s.took, 0)))
	return sorted[len(sorted)/2]
}

// settle waits until every group is stable with all of its members, who all know it. How long that takes is told; that it does not come
// to an end is a fault.
func (t *trial) settle(ctx context.Context, after string, bound time.Duration) {
	began := time.Now()
	result := settling{after: after}
	left := map[string]*group{}
	for _, one := range t.groups {
		left[one.name] = one
	}
	why := map[string]error{}
	for len(left) > 0 && time.Since(began) < bound {
		asked := time.Now()
		described, err := t.describe(ctx, slices.Collect(maps.Values(left)))
		if took := time.Since(asked); took > 2*time.Second {
			t.say("a description of %d groups took %.1f s: %v", len(left), took.Seconds(), err)
		}
		for name, one := range left {
			if err != nil {
				why[name] = err
				continue
			}
			if why[name] = one.isWhole(described[name]); why[name] != nil {
				continue
			}
			delete(left, name)
			took := time.Since(began)
			result.took = append(result.took, took)
			if took > t.expected() {
				result.late++
			}
		}
		time.Sleep(lookEvery)
	}
	for name, one := range left {
		t.isLost.Store(true)
		t.judge.fault("never stable: %s (%s) within %.0f s after %s: %v", name, one.kind.name, bound.Seconds(), after, why[name])
	}
	t.say("%v", &result)
	t.lock.Lock()
	defer t.lock.Unlock()
	t.settlings = append(t.settlings, result)
}

// isWhole compares what the broker says about the group with what its members say.
func (g *group) isWhole(described description) error {
	if described.err != nil {
		return described.err
	}
	if described.state != "Stable" {
		return fmt.Errorf("it is %q", described.state)
	}
	present := g.present()
	if len(described.members) != len(present) {
		return fmt.Errorf("it has %d members, %d are there", len(described.members), len(present))
	}
	owned, generation := 0, int32(-1)
	for _, member := range present {
		id, _ := member.client.GroupMetadata()
		epoch, partitions, isTold := member.lastTold()
		slices.Sort(partitions)
		told, isKnown := described.members[id]
		switch {
		case !isKnown || !isTold:
			return fmt.Errorf("%q is no member", id)
		case generation >= 0 && epoch != generation:
			return fmt.Errorf("members are in generations %d and %d", epoch, generation)
		case told.epoch != none && told.epoch != epoch:
			return fmt.Errorf("%s was told epoch %d, the group says %d", id, epoch, told.epoch)
		case !slices.Equal(told.partitions, partitions):
			return fmt.Errorf("%s was told %v, the group says %v", id, partitions, told.partitions)
		}
		generation, owned = epoch, owned+len(partitions)
	}
	if owned != g.trial.partitions {
		return fmt.Errorf("%d of %d partitions are owned", owned, g.trial.partitions)
	}
	return nil
}

// watch reads committed offsets of one group after the other all the time.
func (t *trial) watch(ctx context.Context) {
	for at := 0; t.watches.Load(); at++ {
		t.look(ctx, t.groups[at%len(t.groups)])
		time.Sleep(2 * time.Second / time.Duration(len(t.groups)))
	}
}

// look is false when the broker did not answer.
func (t *trial) look(ctx context.Context, g *group) bool {
	floor := g.account.floors()
	patient, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	fetched, err := t.admin.FetchOffsets(patient, g.name)
	if err != nil {
		return false
	}
	for partition := range int32(t.partitions) {
		offset := int64(-1)
		if one, ok := fetched.Lookup(g.topic, partition); ok {
			offset = one.At
		}
		g.account.fetched("a bystander", floor, partition, offset)
	}
	t.lock.Lock()
	defer t.lock.Unlock()
	t.reads++
	return true
}

func (t *trial) lookUntilAnswered(ctx context.Context, g *group) {
	for deadline := time.Now().Add(archivePatience); !t.look(ctx, g); time.Sleep(lookEvery) {
		if time.Now().After(deadline) {
			t.judge.fault("the offsets of %s cannot be read", g.name)
			return
		}
	}
}

// drain waits until every group has read and committed all that was ever acknowledged to the producer.
func (t *trial) drain(ctx context.Context) error {
	ends, err := t.producer.stop(ctx)
	if err != nil {
		return err
	}
	deadline := time.Now().Add(t.bound())
	for _, one := range t.groups {
		end := ends[one.topic]
		for {
			t.look(ctx, one)
			unread := one.account.unread(end)
			behind := int64(0)
			for partition, floor := range one.account.floors() {
				behind += end[partition] - floor
			}
			if unread == 0 && behind == 0 {
				break
			}
			if time.Now().After(deadline) {
				t.judge.fault("unread: %s has %d records that nobody read, and is %d behind with its commits", one.name, unread, behind)
				break
			}
			time.Sleep(lookEvery)
		}
	}
	t.say("all groups have read and committed everything")
	return nil
}

// refuseDeletion asks for what a living group must not suffer, in each protocol.
func (t *trial) refuseDeletion(ctx context.Context) {
	for _, isConsumer := range []bool{false, true} {
		if at := slices.IndexFunc(t.groups, func(one *group) bool { return one.kind.server == isConsumer }); at >= 0 {
			t.refuseDeletionOf(ctx, t.groups[at])
		}
	}
}

func (t *trial) refuseDeletionOf(ctx context.Context, one *group) {
	if deleted, err := t.admin.DeleteGroup(ctx, one.name); !errors.Is(errors.Join(err, deleted.Err), kerr.NonEmptyGroup) {
		t.judge.fault("a group with members could be deleted: %v %v", err, deleted.Err)
	}
	var set kadm.TopicsSet
	set.Add(one.topic, 0)
	deleted, err := t.admin.DeleteOffsets(ctx, one.name, set)
	if refused, _ := deleted.Lookup(one.topic, 0); !errors.Is(errors.Join(err, refused), kerr.GroupSubscribedToTopic) {
		t.judge.fault("offsets of a subscribed topic could be deleted: %v %v", err, refused)
	}
	t.look(ctx, one)
}

// awaitEmpty waits until the last members are gone: static ones did not say that they leave.
func (t *trial) awaitEmpty(ctx context.Context) {
	deadline := time.Now().Add(t.bound())
	for {
		described, err := t.describe(ctx, t.groups)
		left := 0
		for _, one := range described {
			if one.err != nil || one.state != "Empty" {
				left++
			}
		}
		if err == nil && left == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.judge.fault("%d groups are not empty %v after their last members ended: %v", left, t.bound(), err)
			return
		}
		time.Sleep(lookEvery)
	}
}

// bury deletes half of the groups, has the broker killed, and looks that they stay dead, and the others' offsets alive.
func (t *trial) bury(ctx context.Context) {
	for _, one := range t.groups {
		t.lookUntilAnswered(ctx, one)
	}
	var dead []string
	for number, one := range t.groups {
		if number%2 == 0 {
			dead = append(dead, one.name)
		}
	}
	deleted, err := t.admin.DeleteGroups(ctx, dead...)
	if err == nil {
		err = deleted.Error()
	}
	if err != nil {
		t.judge.fault("groups without members cannot be deleted: %v", err)
		return
	}
	if t.kills > 0 {
		t.kill()
	}
	for number, one := range t.groups {
		if number%2 == 1 {
			t.lookUntilAnswered(ctx, one)
		} else if fetched := t.archive.read(ctx, one.name); len(fetched) > 0 {
			t.judge.fault("%s was deleted and has offsets: %v", one.name, fetched)
		}
	}
	// Now that each was asked for, all coordinators are loaded: a list holds only the groups of those.
	listed, err := t.admin.ListGroups(ctx)
	for number, one := range t.groups {
		if _, isListed := listed[one.name]; isListed == (number%2 == 0) {
			t.judge.fault("%s is listed: %v %v", one.name, isListed, err)
		}
	}
	t.archive.verify(ctx)
	t.say("%d groups deleted, the broker killed once more: they stay deleted", len(dead))
}
