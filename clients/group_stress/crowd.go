package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	idleBeat      = time.Second
	crowdPatience = 60 * time.Second
	nudgeLooks    = 100
)

// crowd is one group whose members are driven by hand, a connection each: what is measured is the broker, not a client's timers.
type crowd struct {
	bootstrap, group string
	members          []*person
	synced           chan synced
	failed           chan error
}

type synced struct {
	number     int
	generation int32
}

// person is one member of a crowd.
type person struct {
	crowd      *crowd
	number     int
	link       *link
	id         string
	generation int32
	nudge      chan struct{}
	stopping   chan struct{}
	done       chan struct{}
	// Called once a join under its id has been written.
	onJoining func()
}

// assemble joins so many members and waits until all are in one generation.
func assemble(bootstrap, group string, members int) (*crowd, error) {
	c := &crowd{bootstrap: bootstrap, group: group, synced: make(chan synced, 1<<16), failed: make(chan error, 1)}
	if err := c.findCoordinator(); err != nil {
		return nil, err
	}
	for range members {
		one, err := c.newPerson()
		if err != nil {
			return nil, err
		}
		go one.run()
	}
	return c, c.awaitAll()
}

func (c *crowd) findCoordinator() error {
	one, err := dialLink(c.bootstrap)
	if err != nil {
		return err
	}
	defer one.conn.Close()
	request := kmsg.NewPtrFindCoordinatorRequest()
	request.CoordinatorKey = c.group
	for deadline := time.Now().Add(crowdPatience); ; time.Sleep(100 * time.Millisecond) {
		answer, err := ask[*kmsg.FindCoordinatorResponse](one, request, findVersion)
		if err != nil {
			return err
		}
		if answer.ErrorCode == 0 {
			return nil
		}
		if time.Now().After(deadline) {
			return kerr.ErrorForCode(answer.ErrorCode)
		}
	}
}

func (c *crowd) newPerson() (*person, error) {
	wire, err := dialLink(c.bootstrap)
	if err != nil {
		return nil, err
	}
	one := &person{crowd: c, number: len(c.members), link: wire, nudge: make(chan struct{}, 1), stopping: make(chan struct{}), done: make(chan struct{})}
	c.members = append(c.members, one)
	return one, nil
}

// awaitAll waits until all members have their assignment in one generation.
func (c *crowd) awaitAll() error {
	in := map[int]int32{}
	timeout := time.After(crowdPatience)
	for {
		select {
		case one := <-c.synced:
			in[one.number] = one.generation
			same := 0
			for _, generation := range in {
				if generation == one.generation {
					same++
				}
			}
			if same == len(c.members) {
				return nil
			}
		case err := <-c.failed:
			return err
		case <-timeout:
			return fmt.Errorf("%d members are not in one generation after %v: %v", len(c.members), crowdPatience, in)
		}
	}
}

// stop ends the members' own doing without a word to the broker; their links remain.
func (c *crowd) stop() []*person {
	for _, one := range c.members {
		close(one.stopping)
	}
	for _, one := range c.members {
		<-one.done
	}
	return c.members
}

func (c *crowd) dissolve() error {
	for _, one := range c.members {
		if err := one.leave(); err != nil {
			return err
		}
		one.link.conn.Close()
	}
	return nil
}

func (p *person) run() {
	defer close(p.done)
	if err := p.live(); err != nil {
		select {
		case p.crowd.failed <- fmt.Errorf("member %d: %w", p.number, err):
		default:
		}
	}
}

// live joins, and joins again whenever a heartbeat says so.
func (p *person) live() error {
	for {
		again, err := p.joinAndSync()
		if err != nil {
			return err
		}
		if again {
			continue
		}
		p.crowd.synced <- synced{p.number, p.generation}
		isOver, err := p.beat()
		if isOver || err != nil {
			return err
		}
	}
}

// beat sends heartbeats until there is a rebalance; a nudge makes it look at once, and again and again for a while.
func (p *person) beat() (isOver bool, err error) {
	select {
	case <-p.nudge:
		// It was about the rebalance that is over.
	default:
	}
	for looks := 0; ; looks-- {
		wait := idleBeat
		if looks > 0 {
			wait = time.Millisecond
		}
		select {
		case <-p.stopping:
			return true, nil
		case <-p.nudge:
			looks = nudgeLooks
		case <-time.After(wait):
		}
		answer, err := ask[*kmsg.HeartbeatResponse](p.link, p.heartbeat(), heartbeatVersion)
		if err != nil {
			return false, err
		}
		if err := kerr.ErrorForCode(answer.ErrorCode); errors.Is(err, kerr.RebalanceInProgress) {
			return false, nil
		} else if err != nil {
			return false, err
		}
	}
}

func (p *person) joinAndSync() (again bool, err error) {
	request := p.joining()
	if _, err := p.link.conn.Write(encode(request, joinVersion)); err != nil {
		return false, err
	}
	if p.id != "" && p.onJoining != nil {
		p.onJoining()
		p.onJoining = nil
	}
	body, err := p.link.receive()
	if err != nil {
		return false, err
	}
	answer, err := decode[*kmsg.JoinGroupResponse](request, body)
	if err != nil {
		return false, err
	}
	switch answer.ErrorCode {
	case kerr.MemberIDRequired.Code:
		p.id = answer.MemberID
		return true, nil
	case kerr.NotCoordinator.Code, kerr.CoordinatorLoadInProgress.Code, kerr.CoordinatorNotAvailable.Code:
		// The coordinator was found before it had its state.
		time.Sleep(100 * time.Millisecond)
		return true, nil
	}
	if err := kerr.ErrorForCode(answer.ErrorCode); err != nil {
		return false, err
	}
	p.id, p.generation = answer.MemberID, answer.Generation
	given, err := ask[*kmsg.SyncGroupResponse](p.link, p.syncing(answer), syncVersion)
	if err != nil {
		return false, err
	}
	if given.ErrorCode == kerr.RebalanceInProgress.Code {
		return true, nil
	}
	return false, kerr.ErrorForCode(given.ErrorCode)
}

func (p *person) joining() kmsg.Request {
	request := kmsg.NewPtrJoinGroupRequest()
	request.Group, request.MemberID, request.ProtocolType = p.crowd.group, p.id, "consumer"
	request.SessionTimeoutMillis, request.RebalanceTimeoutMillis = 30_000, 60_000
	protocol := kmsg.NewJoinGroupRequestProtocol()
	protocol.Name, protocol.Metadata = "range", make([]byte, 64)
	request.Protocols = append(request.Protocols, protocol)
	return request
}

// syncing brings the assignments of all, if this member is the leader.
func (p *person) syncing(joined *kmsg.JoinGroupResponse) kmsg.Request {
	request := kmsg.NewPtrSyncGroupRequest()
	request.Group, request.MemberID, request.Generation = p.crowd.group, p.id, p.generation
	request.ProtocolType, request.Protocol = kmsg.StringPtr("consumer"), kmsg.StringPtr("range")
	if joined.LeaderID == p.id {
		for _, member := range joined.Members {
			part := kmsg.NewSyncGroupRequestGroupAssignment()
			part.MemberID, part.MemberAssignment = member.MemberID, make([]byte, 64)
			request.GroupAssignment = append(request.GroupAssignment, part)
		}
	}
	return request
}

func (p *person) heartbeat() kmsg.Request {
	request := kmsg.NewPtrHeartbeatRequest()
	request.Group, request.MemberID, request.Generation = p.crowd.group, p.id, p.generation
	return request
}

func (p *person) leave() error {
	request := kmsg.NewPtrLeaveGroupRequest()
	request.Group = p.crowd.group
	member := kmsg.NewLeaveGroupRequestMember()
	member.MemberID = p.id
	request.Members = append(request.Members, member)
	answer, err := ask[*kmsg.LeaveGroupResponse](p.link, request, leaveVersion)
	if err != nil {
		return err
	}
	return kerr.ErrorForCode(answer.ErrorCode)
}

// rebalanceTime has one more member join a group of many: from its first request until all have their new assignment. The others
// look for the rebalance as soon as the new one has asked, so the time holds none of a client's own (a real one notices
// up to its heartbeat interval later). In milliseconds, the median of some.
func rebalanceTime(words []string) error {
	options := flag.NewFlagSet("rebalance", flag.ExitOnError)
	bootstrap := options.String("bootstrap", "", "the broker")
	members := options.Int("members", 100, "members of the group before one more joins")
	times := options.Int("times", 21, "how often one more joins, and leaves again")
	if err := options.Parse(words); err != nil {
		return err
	}
	c, err := assemble(*bootstrap, fmt.Sprintf("figures-rebalance-%d", time.Now().UnixNano()), *members)
	if err != nil {
		return err
	}
	var took []float64
	for range *times {
		one, err := c.joinOneMore()
		if err != nil {
			return err
		}
		took = append(took, one.Seconds()*1_000)
		if err := c.loseLast(); err != nil {
			return err
		}
	}
	c.stop()
	slices.Sort(took)
	if err := json.NewEncoder(os.Stdout).Encode(map[string]float64{"median_ms": took[len(took)/2], "least_ms": took[0], "most_ms": took[len(took)-1]}); err != nil {
		return err
	}
	return c.dissolve()
}

func (c *crowd) joinOneMore() (time.Duration, error) {
	last, err := c.newPerson()
	if err != nil {
		return 0, err
	}
	last.onJoining = c.nudgeAll
	begun := time.Now()
	go last.run()
	err = c.awaitAll()
	return time.Since(begun), err
}

// loseLast has the newest member leave, and waits until the others are together again.
func (c *crowd) loseLast() error {
	last := c.members[len(c.members)-1]
	close(last.stopping)
	<-last.done
	if err := last.leave(); err != nil {
		return err
	}
	last.link.conn.Close()
	c.members = c.members[:len(c.members)-1]
	c.nudgeAll()
	return c.awaitAll()
}

func (c *crowd) nudgeAll() {
	for _, one := range c.members {
		select {
		case one.nudge <- struct{}{}:
		default:
		}
	}
}
