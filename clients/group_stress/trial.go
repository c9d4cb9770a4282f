package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	expectedGrace = 2 * time.Second
	boundGrace    = 20 * time.Second
)

// trial is one run: its sizes, its groups, and what was counted.
type trial struct {
	bootstrap, name, lie     string
	groupCount, members      int
	topicCount, partitions   int
	archivePartitions, kills int
	seed                     uint64
	seconds, session         time.Duration
	rebalance, pace          time.Duration
	commitEvery, retention   time.Duration
	recordsPerSecond         int

	judge *judge
	admin *kadm.Client
	// Its questions do not wait behind the archive's: how soon a group is stable is told by their answers.
	describer *kadm.Client
	topics    []string
	groups    []*group
	archive   *archive
	producer  *producer

	churns, pauses, watches atomic.Bool
	// A group that is never stable will not be later either: the verdict is given at once.
	isLost  atomic.Bool
	calls   atomic.Int64
	orders  *bufio.Scanner
	started time.Time

	lock         sync.Mutex
	disturbances map[string]int
	settlings    []settling
	reads        int
}

// liesNow plants what the judge must catch: now and then the members' account is not what happened.
func (t *trial) liesNow(about string) bool {
	return t.lie == about && t.calls.Add(1)%97 == 0
}

func (t *trial) count(disturbance string) {
	t.lock.Lock()
	defer t.lock.Unlock()
	t.disturbances[disturbance]++
}

// rest is cut short by a pause: who is away comes back, so that the group can become whole.
func (t *trial) rest(length time.Duration) {
	for end := time.Now().Add(length); time.Now().Before(end) && !t.pauses.Load(); {
		time.Sleep(20 * time.Millisecond)
	}
}

func (t *trial) say(format string, values ...any) {
	fmt.Printf("%6.1f s  %s\n", time.Since(t.started).Seconds(), fmt.Sprintf(format, values...))
}

func (t *trial) run(ctx context.Context) error {
	if err := t.prepare(ctx); err != nil {
		return err
	}
	t.say("%d groups of %d members, %d partitions each, seed %d", t.groupCount, t.members, t.partitions, t.seed)
	t.onGroups((*group).fill)
	t.settle(ctx, "started", t.bound())
	t.watches.Store(true)
	var watching sync.WaitGroup
	watching.Go(func() { t.watch(ctx) })
	watching.Go(func() { t.archive.work(ctx) })
	t.churn(ctx)
	t.say("the churn ends")
	if !t.isLost.Load() {
		t.settle(ctx, "undisturbed", t.bound())
	}
	if t.isLost.Load() {
		return nil
	}
	if err := t.drain(ctx); err != nil {
		return err
	}
	t.refuseDeletion(ctx)
	t.archive.awaitExpiry()
	t.watches.Store(false)
	watching.Wait()
	t.archive.verify(ctx)
	t.onGroups((*group).dissolve)
	t.awaitEmpty(ctx)
	t.bury(ctx)
	return nil
}

// expected is how long a group takes at most until it is stable again where the machine is its own: whoever went unnoticed is waited for,
// then those who are slow to join, and a moment is for the requests of all that.
func (t *trial) expected() time.Duration { return t.session + t.rebalance + expectedGrace }

// bound is when a group that is not stable yet never will be. Clients on a machine that others use miss their sessions and are thrown
// out again, so this is long; a group that is stuck is stuck for longer.
func (t *trial) bound() time.Duration { return 3*t.expected() + boundGrace }

// commitPatience is longer than a member stands still: what becomes of a commit that it sent before is to be seen.
func (t *trial) commitPatience() time.Duration { return t.session * 3 / 2 }

func (t *trial) onGroups(do func(*group)) {
	var all sync.WaitGroup
	for _, one := range t.groups {
		all.Go(func() { do(one) })
	}
	all.Wait()
}

func (t *trial) prepare(ctx context.Context) error {
	for _, admin := range []**kadm.Client{&t.admin, &t.describer} {
		client, err := kgo.NewClient(kgo.SeedBrokers(t.bootstrap), kgo.DisableClientMetrics(), kgo.RetryBackoffFn(backoff), kgo.MetadataMinAge(500*time.Millisecond))
		if err != nil {
			return err
		}
		*admin = kadm.NewClient(client)
	}
	for number := range t.topicCount {
		t.topics = append(t.topics, fmt.Sprintf("%s-t%02d", t.name, number))
	}
	created, err := t.admin.CreateTopics(ctx, int32(t.partitions), 1, nil, t.topics...)
	if err == nil {
		err = created.Error()
	}
	if err != nil {
		return err
	}
	for number := range t.groupCount {
		t.groups = append(t.groups, newGroup(t, number))
	}
	if t.archive, err = newArchive(ctx, t); err != nil {
		return err
	}
	t.producer, err = startProducer(t)
	return err
}

// churn disturbs all groups; in the middle of it the broker is killed, as often as asked.
func (t *trial) churn(ctx context.Context) {
	t.churns.Store(true)
	var churning sync.WaitGroup
	for _, one := range t.groups {
		churning.Go(one.churn)
	}
	part := t.seconds / time.Duration(t.kills+1)
	time.Sleep(part)
	for range t.kills {
		if t.killed(ctx, "killed"); t.isLost.Load() {
			break
		}
		time.Sleep(part)
	}
	t.pauses.Store(true)
	t.churns.Store(false)
	churning.Wait()
	t.onGroups((*group).quiet)
}

// killed has the broker killed in the midst of everything; once it is there again the groups are left alone until they are whole.
func (t *trial) killed(ctx context.Context, after string) {
	t.kill()
	up := time.Now()
	t.pauses.Store(true)
	t.onGroups((*group).quiet)
	t.say("the broker was killed; disturbances ended %.1f s after it was there again", time.Since(up).Seconds())
	t.settle(ctx, after, t.bound())
	t.pauses.Store(false)
}

// kill returns once the broker was killed and started again.
func (t *trial) kill() {
	fmt.Println("kill")
	if !t.orders.Scan() || t.orders.Text() != "up" {
		t.judge.fault("the broker was not started again")
	}
}

func (t *trial) verdict() bool {
	total, consumer, consumers := newAccount(t.judge, "all", 0), newAccount(t.judge, "consumer protocol", 0), 0
	for _, one := range t.groups {
		one.account.addTo(total)
		if one.kind.server {
			one.account.addTo(consumer)
			consumers++
		}
	}
	t.say("disturbances: %v", t.disturbances)
	t.say("%d generations; %d commits taken, %d refused %v; %d records read, %d of them again; %d readings of committed offsets",
		total.epoch, total.commits, total.refused, total.refusals, total.records, total.repeated, t.reads)
	t.say("of these in %d groups of the consumer protocol: %d epochs, %d commits taken, %d refused; %d partitions given up by members",
		consumers, consumer.epoch, consumer.commits, consumer.refused, consumer.released)
	for _, one := range t.settlings {
		t.say("%v", &one)
	}
	t.say("archive: %s", t.archive.summary())
	for _, fault := range t.judge.faults {
		t.say("FAULT %s", fault)
	}
	if t.judge.count > 0 {
		t.say("verdict: FAILED with %d faults, seed %d", t.judge.count, t.seed)
		return false
	}
	t.say("verdict: no committed offset went back, no partition had two owners, every group was stable again; seed %d", t.seed)
	return true
}

func orders() *bufio.Scanner { return bufio.NewScanner(os.Stdin) }
