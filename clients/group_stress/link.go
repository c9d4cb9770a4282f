package main

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"net"

	"github.com/twmb/franz-go/pkg/kmsg"
)

const answerBytesMax = 64 << 20

// link is one connection that asks and waits, without a client's machinery around it.
type link struct {
	conn   net.Conn
	reader *bufio.Reader
	frame  []byte
	answer []byte
}

var formatter = kmsg.NewRequestFormatter(kmsg.FormatterClientID("figures"))

func dialLink(bootstrap string) (*link, error) {
	conn, err := net.Dial("tcp", bootstrap)
	if err != nil {
		return nil, err
	}
	return &link{conn: conn, reader: bufio.NewReaderSize(conn, 64<<10)}, nil
}

func encode(request kmsg.Request, version int16) []byte {
	request.SetVersion(version)
	return formatter.AppendRequest(nil, request, 1)
}

// exchange sends a frame and gives the bytes after the correlation id of the answer; they are good until the next one.
func (l *link) exchange(frame []byte) ([]byte, error) {
	if _, err := l.conn.Write(frame); err != nil {
		return nil, err
	}
	return l.receive()
}

func (l *link) receive() ([]byte, error) {
	var head [8]byte
	if _, err := io.ReadFull(l.reader, head[:]); err != nil {
		return nil, err
	}
	size := int(binary.BigEndian.Uint32(head[:])) - 4
	if size < 0 || size > answerBytesMax {
		return nil, fmt.Errorf("an answer of %d bytes", size)
	}
	if cap(l.answer) < size {
		l.answer = make([]byte, size)
	}
	_, err := io.ReadFull(l.reader, l.answer[:size])
	return l.answer[:size], err
}

// ask is exchange of a request for its decoded answer.
func ask[Answer kmsg.Response](l *link, request kmsg.Request, version int16) (Answer, error) {
	var nothing Answer
	body, err := l.exchange(encode(request, version))
	if err != nil {
		return nothing, err
	}
	return decode[Answer](request, body)
}

func decode[Answer kmsg.Response](request kmsg.Request, body []byte) (Answer, error) {
	answer := request.ResponseKind()
	answer.SetVersion(request.GetVersion())
	if request.IsFlexible() {
		// The header's tags: there are none in any answer that is asked for here.
		body = body[1:]
	}
	return answer.(Answer), answer.ReadFrom(body)
}
