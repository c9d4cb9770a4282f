package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	archivePatience = 60 * time.Second
	// How much later than its time an offset may expire: looks are a second apart, the broker may be away for a while, and the machine may
	// have other work.
	expirySlack = 60 * time.Second
	none        = -1
)

// archive is many offsets of groups that nobody joined. Nobody else changes them, so each read must give exactly what is known here.
type archive struct {
	trial  *trial
	topic  string
	groups []string
	// By group and partition; none where there is no offset.
	known map[string][]int64
	// When the newest commit of a group began: on a busy machine its next one may come after these offsets have expired.
	committed map[string]time.Time
	random    *rand.Rand
	aging     sync.WaitGroup
	kept      *kgo.Client

	commits, offsetDeletions, groupDeletions, readings, aged int
}

func newArchive(ctx context.Context, t *trial) (*archive, error) {
	a := &archive{trial: t, topic: t.name + "-archive", known: map[string][]int64{}, committed: map[string]time.Time{}, random: rand.New(rand.NewPCG(t.seed, 1<<32))}
	if _, err := t.admin.CreateTopic(ctx, int32(t.archivePartitions), 1, nil, a.topic); err != nil {
		return nil, err
	}
	for number := range t.groupCount {
		name := fmt.Sprintf("%s-a%03d", t.name, number)
		a.groups = append(a.groups, name)
		a.known[name] = make([]int64, t.archivePartitions)
		a.commit(ctx, name)
	}
	t.say("archive: %d offsets committed in %d groups", t.groupCount*t.archivePartitions, t.groupCount)
	if t.retention > 0 {
		return a, a.age(ctx)
	}
	return a, nil
}

// persistently repeats what has no answer, for instance because the broker was killed.
func (a *archive) persistently(ctx context.Context, what, group string, do func(context.Context) error) {
	patient, cancel := context.WithTimeout(ctx, archivePatience)
	defer cancel()
	for {
		err := do(patient)
		if err == nil {
			return
		}
		if patient.Err() != nil {
			a.trial.judge.fault("%s of %s is not done after %v: %v", what, group, archivePatience, err)
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// commit moves all of a group's offsets on.
func (a *archive) commit(ctx context.Context, group string) {
	known := a.known[group]
	next := int64(a.random.IntN(1_000_000))
	a.committed[group] = time.Now()
	a.persistently(ctx, "a commit", group, func(ctx context.Context) error {
		answers, err := a.trial.admin.CommitOffsets(ctx, group, a.offsets(next))
		if err == nil {
			err = answers.Error()
		}
		return err
	})
	for partition := range known {
		known[partition] = next + int64(partition)
	}
	a.commits++
}

func (a *archive) offsets(first int64) kadm.Offsets {
	offsets := kadm.Offsets{}
	for partition := range int32(a.trial.archivePartitions) {
		at := first + int64(partition)
		offsets.Add(kadm.Offset{Topic: a.topic, Partition: partition, At: at, LeaderEpoch: -1, Metadata: fmt.Sprint("at ", at)})
	}
	return offsets
}

// work commits one group after the other, deletes offsets and groups, and reads them back.
func (a *archive) work(ctx context.Context) {
	for at := 0; a.trial.watches.Load(); at++ {
		group := a.groups[at%len(a.groups)]
		switch a.random.IntN(6) {
		case 0:
			a.deleteOffsets(ctx, group)
			a.check(ctx, group)
		case 1:
			a.deleteGroup(ctx, group)
			a.check(ctx, group)
		}
		if a.random.IntN(10) > 0 {
			a.commit(ctx, group)
		}
		other := a.groups[a.random.IntN(len(a.groups))]
		a.check(ctx, other)
		time.Sleep(50 * time.Millisecond)
	}
}

func (a *archive) deleteOffsets(ctx context.Context, group string) {
	var set kadm.TopicsSet
	known := a.known[group]
	for partition := range known {
		if known[partition] != none && a.random.IntN(2) == 0 {
			set.Add(a.topic, int32(partition))
		}
	}
	if len(set) == 0 {
		return
	}
	a.persistently(ctx, "a deletion of offsets", group, func(ctx context.Context) error {
		answers, err := a.trial.admin.DeleteOffsets(ctx, group, set)
		if errors.Is(err, kerr.GroupIDNotFound) {
			return nil
		}
		if err == nil {
			err = answers.Error()
		}
		return err
	})
	for partition := range set[a.topic] {
		known[partition] = none
	}
	a.offsetDeletions++
}

func (a *archive) deleteGroup(ctx context.Context, group string) {
	a.persistently(ctx, "a deletion", group, func(ctx context.Context) error {
		_, err := a.trial.admin.DeleteGroup(ctx, group)
		if errors.Is(err, kerr.GroupIDNotFound) {
			return nil
		}
		return err
	})
	for partition := range a.known[group] {
		a.known[group][partition] = none
	}
	a.groupDeletions++
}

func (a *archive) verify(ctx context.Context) {
	for _, group := range a.groups {
		a.check(ctx, group)
	}
}

func (a *archive) check(ctx context.Context, group string) {
	read := a.read(ctx, group)
	mayBeGone := a.trial.retention > 0 && time.Since(a.committed[group]) >= a.trial.retention
	if mayBeGone {
		a.aged++
	}
	for partition, known := range a.known[group] {
		one, ok := read.Lookup(a.topic, int32(partition))
		if (known == none || mayBeGone) && (!ok || one.At == none) {
			continue
		} else if !ok || one.At != known || one.Metadata != fmt.Sprint("at ", known) {
			a.trial.judge.fault("archive: %s partition %d is told %d %q, it must be %d", group, partition, one.At, one.Metadata, known)
		}
	}
	a.readings++
}

func (a *archive) read(ctx context.Context, group string) (read kadm.OffsetResponses) {
	a.persistently(ctx, "a reading", group, func(ctx context.Context) (err error) {
		read, err = a.trial.admin.FetchOffsets(ctx, group)
		return err
	})
	return read
}

// age commits once in three groups: one without members ever, one that its member left, one whose member stays.
func (a *archive) age(ctx context.Context) error {
	began := time.Now()
	never, left, stays := a.trial.name+"-aging-never", a.trial.name+"-aging-left", a.trial.name+"-kept"
	if _, err := a.trial.admin.CommitOffsets(ctx, never, a.offsets(0)); err != nil {
		return err
	}
	for _, group := range []string{left, stays} {
		client, err := a.commitAsMember(ctx, group)
		if err != nil {
			return err
		}
		if group == left {
			client.Close()
		} else {
			a.kept = client
		}
	}
	a.aging.Go(func() {
		time.Sleep(a.trial.retention - 10*time.Second)
		for _, group := range []string{never, left, stays} {
			// What is answered later than their time is no proof.
			if have := a.count(ctx, group); time.Since(began) < a.trial.retention {
				a.mustHave(group, "before its time", have, a.trial.archivePartitions)
			}
		}
		time.Sleep(a.trial.retention - time.Since(began))
		a.awaitNone(ctx, never, began)
		a.awaitNone(ctx, left, began)
		a.mustHave(stays, "while it has a member", a.count(ctx, stays), a.trial.archivePartitions)
	})
	return nil
}

// awaitNone waits until a group has no offsets any more.
func (a *archive) awaitNone(ctx context.Context, group string, began time.Time) {
	for {
		have := a.count(ctx, group)
		age := time.Since(began)
		if have == 0 {
			a.trial.say("the offsets of %s expired: gone %.1f s after the first of them was committed, kept for %.0f s", group, age.Seconds(), a.trial.retention.Seconds())
			return
		}
		if age > a.trial.retention+expirySlack {
			a.mustHave(group, "after its time", have, 0)
			return
		}
		time.Sleep(lookEvery)
	}
}

func (a *archive) commitAsMember(ctx context.Context, group string) (*kgo.Client, error) {
	assigned := make(chan struct{}, 1)
	client, err := kgo.NewClient(kgo.SeedBrokers(a.trial.bootstrap), kgo.DisableClientMetrics(), kgo.RetryBackoffFn(backoff),
		kgo.ConsumerGroup(group), kgo.ConsumeTopics(a.topic), kgo.DisableAutoCommit(),
		kgo.OnPartitionsAssigned(func(context.Context, *kgo.Client, map[string][]int32) { assigned <- struct{}{} }))
	if err != nil {
		return nil, err
	}
	go client.PollFetches(client.Context())
	select {
	case <-assigned:
	case <-time.After(archivePatience):
		return nil, fmt.Errorf("%s has no assignment", group)
	}
	answers, err := a.trial.admin.FetchOffsets(ctx, group)
	if err != nil || len(answers) > 0 {
		return nil, fmt.Errorf("%s begins with %v %w", group, answers, err)
	}
	wanted := map[int32]kgo.EpochOffset{}
	for partition := range int32(a.trial.archivePartitions) {
		wanted[partition] = kgo.EpochOffset{Epoch: -1, Offset: 0}
	}
	client.CommitOffsetsSync(ctx, map[string]map[int32]kgo.EpochOffset{a.topic: wanted},
		func(_ *kgo.Client, _ *kmsg.OffsetCommitRequest, response *kmsg.OffsetCommitResponse, failed error) {
			if err = failed; err == nil {
				err = kerr.ErrorForCode(response.Topics[0].Partitions[0].ErrorCode)
			}
		})
	return client, err
}

// count is how many offsets a group has.
func (a *archive) count(ctx context.Context, group string) (have int) {
	read := a.read(ctx, group)
	read.Each(func(one kadm.OffsetResponse) {
		if one.At != none {
			have++
		}
	})
	return have
}

func (a *archive) mustHave(group, when string, have, offsets int) {
	if have != offsets {
		a.trial.judge.fault("expiry: %s %s has %d offsets, it must have %d", group, when, have, offsets)
	}
}

func (a *archive) awaitExpiry() {
	a.aging.Wait()
	if a.kept != nil {
		a.kept.Close()
	}
}

func (a *archive) summary() string {
	return fmt.Sprintf("%d commits of %d offsets, %d deletions of offsets and %d of groups, %d exact readings, in %d of them offsets old enough to be expired",
		a.commits, a.trial.archivePartitions, a.offsetDeletions, a.groupDeletions, a.readings, a.aged)
}
