package main

import (
	"encoding/binary"
	"fmt"
	"sync"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Where a request has its version, its correlation id and its client's name; and that an answer has its correlation id after its length.
const (
	versionAt      = 6
	correlationAt  = 8
	clientAt       = 12
	clientNameAt   = 14
	answerHeadSize = 8
)

// tap hears on one connection what a member of the consumer protocol and its coordinator say to each other: no client tells
// when it was given a partition, and when it said that it has given one up.
type tap struct {
	member *member

	lock sync.Mutex
	// By correlation id.
	asked map[int32]question
	// What arrived of an answer that is not whole yet.
	arrived []byte
}

type question struct {
	request *kmsg.ConsumerGroupHeartbeatRequest
	moment  int64
}

func newTap(m *member) *tap { return &tap{member: m, asked: map[int32]question{}} }

// sends is called with a whole request before it leaves.
func (t *tap) sends(frame []byte) {
	if len(frame) < clientNameAt || int16(binary.BigEndian.Uint16(frame[keyAt:])) != int16(kmsg.ConsumerGroupHeartbeat) {
		return
	}
	request := kmsg.NewPtrConsumerGroupHeartbeatRequest()
	request.SetVersion(int16(binary.BigEndian.Uint16(frame[versionAt:])))
	// After the client's name there is the empty list of the header's tags.
	body := clientNameAt + max(int(int16(binary.BigEndian.Uint16(frame[clientAt:]))), 0) + 1
	if err := request.ReadFrom(frame[body:]); err != nil {
		panic(fmt.Sprintf("the client's own request cannot be read: %v", err))
	}
	t.lock.Lock()
	defer t.lock.Unlock()
	moment := t.member.group.account.asks(t.member.tenure, request)
	t.asked[int32(binary.BigEndian.Uint32(frame[correlationAt:]))] = question{request, moment}
}

// receives is called with what arrives, in any pieces, before the member sees it.
func (t *tap) receives(bytes []byte) {
	t.lock.Lock()
	defer t.lock.Unlock()
	t.arrived = append(t.arrived, bytes...)
	for len(t.arrived) >= answerHeadSize {
		end := keyAt + int(binary.BigEndian.Uint32(t.arrived))
		if len(t.arrived) < end {
			return
		}
		correlation := int32(binary.BigEndian.Uint32(t.arrived[keyAt:]))
		if asked, ok := t.asked[correlation]; ok {
			delete(t.asked, correlation)
			t.hears(asked, t.arrived[answerHeadSize:end])
		}
		t.arrived = append(t.arrived[:0], t.arrived[end:]...)
	}
}

func (t *tap) hears(asked question, body []byte) {
	m := t.member
	answer := asked.request.ResponseKind().(*kmsg.ConsumerGroupHeartbeatResponse)
	answer.SetVersion(asked.request.GetVersion())
	if err := answer.ReadFrom(body[min(1, len(body)):]); err != nil {
		m.group.trial.judge.fault("%s: an answer to a heartbeat that is none: %v", m.group.name, err)
		return
	}
	owner := asked.request.MemberID
	if m.instance != "" {
		owner = m.instance
	}
	if answer.Assignment != nil && m.group.trial.liesNow("assignment") {
		extra := kmsg.NewConsumerGroupHeartbeatResponseAssignmentTopic()
		for partition := range int32(m.group.trial.partitions) {
			extra.Partitions = append(extra.Partitions, partition)
		}
		answer.Assignment.Topics = append(answer.Assignment.Topics, extra)
	}
	m.group.account.answered(m.tenure, owner, asked, answer)
}
