package main

import (
	"context"
	"encoding/binary"
	"net"
	"sync"
)

// Where a request has the key of its API, and that of OffsetCommit. A client writes a request at once.
const (
	keyAt     = 4
	keyEnd    = 6
	commitKey = 8
)

// network is what lies between one member and the broker. It can be cut, as by the death of the member's process, or stand
// still, as when that process is stopped: what was written then still arrives later.
type network struct {
	lock   sync.Mutex
	moves  *sync.Cond
	frozen bool
	cut    bool
	wires  map[*wire]struct{}
	// Called when a commit goes out: for one that stood still, long after its member sent it.
	onCommit func()
	// For a connection that is to be listened to.
	newTap func() *tap
}

type wire struct {
	net.Conn
	network *network
	tap     *tap
}

func newNetwork(onCommit func()) *network {
	one := &network{wires: map[*wire]struct{}{}, onCommit: onCommit}
	one.moves = sync.NewCond(&one.lock)
	return one
}

func (n *network) dial(ctx context.Context, protocol, address string) (net.Conn, error) {
	if !n.passes() {
		return nil, net.ErrClosed
	}
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, protocol, address)
	if err != nil {
		return nil, err
	}
	n.lock.Lock()
	defer n.lock.Unlock()
	if n.cut {
		conn.Close()
		return nil, net.ErrClosed
	}
	one := &wire{Conn: conn, network: n}
	if n.newTap != nil {
		one.tap = n.newTap()
	}
	n.wires[one] = struct{}{}
	return one, nil
}

// passes waits while the network stands still; false once it is cut.
func (n *network) passes() bool {
	n.lock.Lock()
	defer n.lock.Unlock()
	for n.frozen && !n.cut {
		n.moves.Wait()
	}
	return !n.cut
}

func (n *network) freeze() {
	n.lock.Lock()
	defer n.lock.Unlock()
	n.frozen = true
}

func (n *network) thaw() {
	n.lock.Lock()
	defer n.lock.Unlock()
	n.frozen = false
	n.moves.Broadcast()
}

func (n *network) sever() {
	n.lock.Lock()
	defer n.lock.Unlock()
	n.cut = true
	for one := range n.wires {
		one.Conn.Close()
	}
	n.moves.Broadcast()
}

func (w *wire) Read(into []byte) (int, error) {
	size, err := w.Conn.Read(into)
	if !w.network.passes() {
		return 0, net.ErrClosed
	}
	if w.tap != nil {
		w.tap.receives(into[:size])
	}
	return size, err
}

func (w *wire) Write(bytes []byte) (int, error) {
	if !w.network.passes() {
		return 0, net.ErrClosed
	}
	if len(bytes) > keyEnd && int16(binary.BigEndian.Uint16(bytes[keyAt:keyEnd])) == commitKey {
		w.network.onCommit()
	}
	if w.tap != nil {
		w.tap.sends(bytes)
	}
	return w.Conn.Write(bytes)
}

func (w *wire) Close() error {
	w.network.lock.Lock()
	delete(w.network.wires, w)
	w.network.lock.Unlock()
	return w.Conn.Close()
}
