package main

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	pollPatience  = 500 * time.Millisecond
	leavePatience = 20 * time.Second
)

// member is one process of a group: a client of its own behind a network of its own.
type member struct {
	group    *group
	instance string
	client   *kgo.Client
	network  *network
	// Until the client is there, nothing that it calls may look at it.
	ready chan struct{}

	life, polling        context.Context
	endLife, stopPolling context.CancelFunc
	done                 chan struct{}
	lastCommit           time.Time

	// The group's fences when the last commit went out.
	fences atomic.Pointer[[]int32]
	// Of a member of the consumer protocol; nil for one of the classic protocol.
	tenure *tenure

	lock    sync.Mutex
	pending map[int32]int64
	// What it was told last, and the floor of the offsets then.
	epoch      int32
	partitions []int32
	floor      []int64
	isTold     bool
}

func (g *group) join(instance string) (*member, error) {
	m := &member{group: g, instance: instance, ready: make(chan struct{}), done: make(chan struct{}),
		pending: map[int32]int64{}, lastCommit: time.Now()}
	m.fences.Store(&[]int32{})
	m.network = newNetwork(func() {
		fences := g.account.fencesNow()
		m.fences.Store(&fences)
	})
	m.life, m.endLife = context.WithCancel(context.Background())
	m.polling, m.stopPolling = context.WithCancel(m.life)
	options := []kgo.Opt{
		kgo.SeedBrokers(g.trial.bootstrap), kgo.WithContext(m.life), kgo.Dialer(m.network.dial), kgo.DisableClientMetrics(),
		kgo.MetadataMinAge(500 * time.Millisecond), kgo.ConnIdleTimeout(10 * time.Second), kgo.RetryBackoffFn(backoff),
		kgo.ConsumerGroup(g.name), kgo.ConsumeTopics(g.topic),
		kgo.SessionTimeout(g.trial.session), kgo.RebalanceTimeout(g.trial.rebalance), kgo.HeartbeatInterval(g.trial.session / 6),
		kgo.DisableAutoCommit(), kgo.BlockRebalanceOnPoll(), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchMaxWait(2 * time.Second), kgo.OnOffsetsFetched(m.fetched), kgo.OnPartitionsRevoked(m.revoked), kgo.OnPartitionsLost(m.lost),
	}
	if g.kind.server {
		m.tenure = newTenure(g.trial.partitions)
		m.network.newTap = func() *tap { return newTap(m) }
		options = append(options, kgo.Balancers(g.balancer()), kgo.ServerSideBalancer())
	} else {
		options = append(options, kgo.Balancers(&witness{g.balancer(), m}))
	}
	if instance != "" {
		options = append(options, kgo.InstanceID(instance))
	}
	client, err := kgo.NewClient(options...)
	if err != nil {
		return nil, err
	}
	m.client = client
	close(m.ready)
	go m.poll()
	return m, nil
}

func backoff(tries int) time.Duration {
	return min(time.Duration(tries)*100*time.Millisecond, time.Second)
}

// identity is by whom the group knows a member: a static one keeps its name when it comes back.
func (m *member) identity() string {
	if m.instance != "" {
		return m.instance
	}
	id, _ := m.client.GroupMetadata()
	return id
}

func (m *member) poll() {
	defer close(m.done)
	for m.polling.Err() == nil {
		ctx, cancel := context.WithTimeout(m.polling, pollPatience)
		fetches := m.client.PollRecords(ctx, 1_000)
		cancel()
		m.lock.Lock()
		fetches.EachRecord(func(record *kgo.Record) {
			if m.group.trial.liesNow("record") {
				m.pending[record.Partition] = record.Offset + 1
				return
			}
			m.group.account.saw(record.Partition, record.Offset)
			m.pending[record.Partition] = record.Offset + 1
		})
		m.lock.Unlock()
		if time.Since(m.lastCommit) >= m.group.trial.commitEvery {
			m.commit()
		}
		// No partition goes to another member between a poll and the commit of what it gave.
		m.client.AllowRebalance()
	}
}

// commit sends what was read and not yet committed; what is refused stays to be committed later.
func (m *member) commit() {
	m.lastCommit = time.Now()
	m.lock.Lock()
	offsets := m.pending
	m.pending = map[int32]int64{}
	m.lock.Unlock()
	if len(offsets) == 0 {
		return
	}
	wanted := map[int32]kgo.EpochOffset{}
	for partition, offset := range offsets {
		wanted[partition] = kgo.EpochOffset{Epoch: -1, Offset: offset}
	}
	account := m.group.account
	account.sending(offsets)
	ctx, cancel := context.WithTimeout(m.life, m.group.trial.commitPatience())
	defer cancel()
	ctx = kgo.PreCommitFnContext(ctx, m.stillOwns)
	m.client.CommitOffsetsSync(ctx, map[string]map[int32]kgo.EpochOffset{m.group.topic: wanted},
		func(_ *kgo.Client, request *kmsg.OffsetCommitRequest, response *kmsg.OffsetCommitResponse, err error) {
			if err != nil {
				account.refusal(reason(err))
				m.keep(offsets)
				return
			}
			for _, topic := range response.Topics {
				for _, partition := range topic.Partitions {
					if err := kerr.ErrorForCode(partition.ErrorCode); err != nil {
						account.refusal(reason(err))
						m.keep(map[int32]int64{partition.Partition: offsets[partition.Partition]})
						continue
					}
					offset := offsets[partition.Partition]
					if m.group.trial.liesNow("commit") {
						offset++
					}
					account.acknowledged(m.identity(), request.Generation, (*m.fences.Load())[partition.Partition], partition.Partition, offset)
				}
			}
		})
}

var errNotOwned = errors.New("not its own any more")

// stillOwns stops a commit of what the member was not given in the generation that the commit would name. A cooperative member holds
// partitions a little longer than that, and commits them with good right, unless the leader found its claim void: then there is a new
// owner already, whose commits it would undo. In the consumer protocol it is told of its own epoch before the client knows, so the epochs are
// left to the broker: a commit in an old one is refused.
func (m *member) stillOwns(request *kmsg.OffsetCommitRequest) error {
	epoch, partitions, _ := m.lastTold()
	for _, topic := range request.Topics {
		for _, partition := range topic.Partitions {
			if m.tenure == nil && epoch != request.Generation || !slices.Contains(partitions, partition.Partition) {
				return errNotOwned
			}
		}
	}
	return nil
}

func (m *member) keep(offsets map[int32]int64) {
	m.lock.Lock()
	defer m.lock.Unlock()
	for partition, offset := range offsets {
		m.pending[partition] = max(m.pending[partition], offset)
	}
}

func reason(err error) string {
	var known *kerr.Error
	if errors.As(err, &known) {
		return known.Message
	}
	if errors.Is(err, errNotOwned) {
		return errNotOwned.Error()
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return "no answer in time"
	}
	return "connection"
}

// revoked commits what is left of the partitions that go, as a careful consumer does; lost ones are another's already.
func (m *member) revoked(_ context.Context, _ *kgo.Client, lost map[string][]int32) {
	<-m.ready
	if m.life.Err() == nil {
		m.commit()
	}
	m.forget(lost[m.group.topic])
}

func (m *member) lost(_ context.Context, _ *kgo.Client, lost map[string][]int32) {
	m.forget(lost[m.group.topic])
}

func (m *member) forget(partitions []int32) {
	m.lock.Lock()
	defer m.lock.Unlock()
	for _, partition := range partitions {
		delete(m.pending, partition)
	}
}

// fetched sees where the member goes on.
func (m *member) fetched(_ context.Context, _ *kgo.Client, response *kmsg.OffsetFetchResponse) error {
	<-m.ready
	m.lock.Lock()
	floor := m.floor
	m.lock.Unlock()
	if m.tenure != nil {
		floor = m.group.account.floorOf(m.tenure)
	}
	for _, group := range response.Groups {
		for _, topic := range group.Topics {
			for _, partition := range topic.Partitions {
				if partition.ErrorCode == 0 {
					m.group.account.fetched(m.identity(), floor, partition.Partition, partition.Offset)
				}
			}
		}
	}
	return nil
}

// lastTold is the epoch and the partitions of the member's last assignment, with what it has not given up yet; false before the first.
func (m *member) lastTold() (int32, []int32, bool) {
	if m.tenure != nil {
		return m.group.account.holds(m.tenure)
	}
	m.lock.Lock()
	defer m.lock.Unlock()
	return m.epoch, slices.Clone(m.partitions), m.isTold
}

// leave ends the member as a program ends that closes its consumer: a static one does not tell the group.
func (m *member) leave() {
	m.stopPolling()
	<-m.done
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		m.client.CloseAllowingRebalance()
	}()
	select {
	case <-closed:
	case <-time.After(leavePatience):
		m.die()
	}
	m.endLife()
}

// die ends the member without a word to anybody.
func (m *member) die() {
	m.network.sever()
	m.endLife()
	go func() {
		<-m.done
		m.client.CloseAllowingRebalance()
	}()
}

// witness stands between the client and its balancer, where the bytes of assignments arrive.
type witness struct {
	kgo.GroupBalancer
	member *member
}

// MemberBalancer is called for the leader alone.
func (w *witness) MemberBalancer(members []kmsg.JoinGroupResponseMember) (kgo.GroupMemberBalancer, map[string]struct{}, error) {
	m := w.member
	<-m.ready
	if w.IsCooperative() {
		_, epoch := m.client.GroupMetadata()
		m.group.account.claimed(epoch, m.group.claimsOf(members))
	}
	return w.GroupBalancer.MemberBalancer(members)
}

func (g *group) claimsOf(members []kmsg.JoinGroupResponseMember) []claim {
	var claims []claim
	for _, one := range members {
		var said kmsg.ConsumerMemberMetadata
		if err := said.ReadFrom(one.ProtocolMetadata); err != nil {
			g.trial.judge.fault("%s: the leader is given metadata that is none: %v", g.name, err)
			continue
		}
		held := claim{owner: one.MemberID, epoch: said.Generation}
		if one.InstanceID != nil {
			held.owner = *one.InstanceID
		}
		for _, topic := range said.OwnedPartitions {
			held.partitions = append(held.partitions, topic.Partitions...)
		}
		claims = append(claims, held)
	}
	return claims
}

func (w *witness) ParseSyncAssignment(bytes []byte) (map[string][]int32, error) {
	assigned, err := w.GroupBalancer.ParseSyncAssignment(bytes)
	if err != nil {
		return nil, err
	}
	m := w.member
	<-m.ready
	_, epoch := m.client.GroupMetadata()
	partitions := slices.Clone(assigned[m.group.topic])
	if m.group.trial.liesNow("assignment") {
		partitions = append(partitions, int32((len(partitions)+1)%m.group.trial.partitions))
	}
	floor := m.group.account.told(m.identity(), epoch, partitions)
	m.lock.Lock()
	defer m.lock.Unlock()
	m.epoch, m.partitions, m.floor, m.isTold = epoch, partitions, floor, true
	return assigned, nil
}
