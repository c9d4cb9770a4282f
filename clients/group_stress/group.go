package main

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// kind is how the members of a group share and whether they have names of their own.
type kind struct {
	name     string
	balancer func() kgo.GroupBalancer
	// Of so many slots in a row one is a dynamic member; 0 when all are static.
	dynamicEach int
	// Whether the broker shares out the partitions: the consumer protocol.
	server bool
}

var classicKinds = []kind{
	{"eager range", kgo.RangeBalancer, 1, false},
	{"cooperative", kgo.CooperativeStickyBalancer, 1, false},
	{"cooperative, half of them static", kgo.CooperativeStickyBalancer, 2, false},
	{"eager sticky, all static", kgo.StickyBalancer, 0, false},
}

// What the client calls a balancer stands for the assignor that the broker is asked for.
var consumerKinds = []kind{
	{"consumer protocol, uniform, half of them static", kgo.StickyBalancer, 2, true},
	{"consumer protocol, range", kgo.RangeBalancer, 1, true},
}

// kindOf makes every fifth group one of the consumer protocol.
func kindOf(number int) kind {
	round, place := number/(len(classicKinds)+1), number%(len(classicKinds)+1)
	if place < len(classicKinds) {
		return classicKinds[place]
	}
	return consumerKinds[round%len(consumerKinds)]
}

// group is one group with a place for each of its members.
type group struct {
	trial   *trial
	name    string
	topic   string
	kind    kind
	account *account
	random  *rand.Rand
	slots   []*slot

	busy atomic.Int32
}

// slot is the place of one member: whoever takes it has the same name, if it has one.
type slot struct {
	instance string
	lock     sync.Mutex
	member   *member
	busy     bool
}

func newGroup(trial *trial, number int) *group {
	name := fmt.Sprintf("%s-g%03d", trial.name, number)
	one := &group{trial: trial, name: name, topic: trial.topics[number%len(trial.topics)], kind: kindOf(number),
		account: newAccount(trial.judge, name, trial.partitions), random: rand.New(rand.NewPCG(trial.seed, uint64(number)))}
	one.account.forgetsRelease = func() bool { return trial.lie == "release" && trial.calls.Add(1)%7 == 0 }
	for index := range trial.members {
		seat := &slot{}
		if one.kind.dynamicEach == 0 || index%one.kind.dynamicEach != 0 {
			seat.instance = fmt.Sprintf("%s-i%02d", name, index)
		}
		one.slots = append(one.slots, seat)
	}
	return one
}

func (g *group) balancer() kgo.GroupBalancer { return g.kind.balancer() }

func (g *group) fill() {
	for _, seat := range g.slots {
		g.arrive(seat)
	}
}

func (g *group) arrive(seat *slot) {
	one, err := g.join(seat.instance)
	if err != nil {
		g.trial.judge.fault("%s: no client: %v", g.name, err)
		return
	}
	seat.lock.Lock()
	defer seat.lock.Unlock()
	seat.member = one
}

func (seat *slot) isTaken() bool {
	seat.lock.Lock()
	defer seat.lock.Unlock()
	return seat.member != nil
}

func (seat *slot) depart() *member {
	seat.lock.Lock()
	defer seat.lock.Unlock()
	one := seat.member
	seat.member = nil
	return one
}

func (g *group) present() []*member {
	var all []*member
	for _, seat := range g.slots {
		seat.lock.Lock()
		if seat.member != nil {
			all = append(all, seat.member)
		}
		seat.lock.Unlock()
	}
	return all
}

// churn disturbs the group until the trial's churn ends, a disturbance after the other, several of them lasting at a time.
func (g *group) churn() {
	for g.trial.churns.Load() {
		time.Sleep(g.trial.pace/2 + time.Duration(g.random.Int64N(int64(g.trial.pace))))
		if g.trial.pauses.Load() || int(g.busy.Load()) >= max(1, len(g.slots)/4) {
			continue
		}
		seat := g.slots[g.random.IntN(len(g.slots))]
		seat.lock.Lock()
		isFree := !seat.busy
		if isFree {
			seat.busy = true
			g.busy.Add(1)
		}
		seat.lock.Unlock()
		if !isFree {
			continue
		}
		disturbance, length := g.random.IntN(5), g.random.Float64()
		go func() {
			g.disturb(seat, disturbance, length)
			seat.lock.Lock()
			seat.busy = false
			seat.lock.Unlock()
			g.busy.Add(-1)
		}()
	}
}

// disturb is one disturbance of one member; at its end it is there again, unless it died for good: then its place is taken by a
// later disturbance.
func (g *group) disturb(seat *slot, disturbance int, length float64) {
	session := g.trial.session
	if !seat.isTaken() {
		g.trial.count("joined")
		g.arrive(seat)
		return
	}
	switch disturbance {
	case 0:
		g.trial.count("left and came back")
		seat.depart().leave()
		g.trial.rest(time.Duration(length * float64(session)))
		g.arrive(seat)
	case 1:
		g.trial.count("died and came back")
		seat.depart().die()
		g.trial.rest(time.Duration(length * 1.5 * float64(session)))
		g.arrive(seat)
	case 2:
		g.trial.count("stood still beyond its session")
		one := seat.member
		one.network.freeze()
		// Not cut short by a pause: a member that stops its heartbeats is to be thrown out.
		time.Sleep(session + time.Duration(length*0.4*float64(session)))
		one.network.thaw()
	case 3:
		g.trial.count("was restarted at once")
		seat.depart().leave()
		g.arrive(seat)
	case 4:
		if len(g.present()) > len(g.slots)/2 {
			g.trial.count("died for good")
			seat.depart().die()
		}
	}
}

// quiet waits until no disturbance is under way.
func (g *group) quiet() {
	for g.busy.Load() > 0 {
		time.Sleep(10 * time.Millisecond)
	}
}

func (g *group) dissolve() {
	var all sync.WaitGroup
	for _, seat := range g.slots {
		if one := seat.depart(); one != nil {
			all.Go(one.leave)
		}
	}
	all.Wait()
}
