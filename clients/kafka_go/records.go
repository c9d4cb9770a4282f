package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/segmentio/kafka-go"
)

var base = time.UnixMilli(1_700_000_000_000)

func everyKind(ctx context.Context) error {
	codecs := map[string]kafka.Compression{"none": 0, "gzip": kafka.Gzip, "snappy": kafka.Snappy, "lz4": kafka.Lz4, "zstd": kafka.Zstd}
	if err := create(ctx, 1); err != nil {
		return err
	}
	every := make([]byte, 256)
	for at := range every {
		every[at] = byte(at)
	}
	sent := []kafka.Message{
		{Value: []byte("keyless")},
		{Key: []byte("k"), Headers: []kafka.Header{{Key: "tombstone", Value: []byte("yes")}}},
		{Key: every, Value: bytes.Repeat(every, 100), Headers: []kafka.Header{{Key: "a", Value: []byte("1")}, {Key: "b"}, {Key: "a", Value: []byte("2")}}},
	}
	for number := range 500 {
		text := []byte(strconv.Itoa(number))
		sent = append(sent, kafka.Message{Key: text, Value: bytes.Repeat(text, 50), Headers: []kafka.Header{{Key: "n", Value: text}}})
	}
	for at := range sent {
		sent[at].Time = base.Add(time.Duration(at) * time.Millisecond)
	}
	one := writer()
	one.Compression = codecs[words[0]]
	if err := errors.Join(one.WriteMessages(ctx, sent...), one.Close()); err != nil {
		return err
	}
	from := reader()
	got, err := read(ctx, from, len(sent))
	if err != nil {
		return err
	}
	for at, want := range sent {
		if have := got[at]; have.Offset != int64(at) || !same(have, want) {
			return fmt.Errorf("record %d came back as %v", at, have)
		}
	}
	return from.Close()
}

func same(have, want kafka.Message) bool {
	alike := bytes.Equal(have.Key, want.Key) && bytes.Equal(have.Value, want.Value) && have.Time.Equal(want.Time) &&
		(have.Key == nil) == (want.Key == nil) && (have.Value == nil) == (want.Value == nil) && len(have.Headers) == len(want.Headers)
	for at := 0; alike && at < len(want.Headers); at++ {
		alike = have.Headers[at].Key == want.Headers[at].Key && bytes.Equal(have.Headers[at].Value, want.Headers[at].Value)
	}
	return alike
}

// The connection below Reader and Writer, which many services use by itself.
func connection(ctx context.Context) error {
	if err := create(ctx, 1); err != nil {
		return err
	}
	conn, err := kafka.DialLeader(ctx, "tcp", bootstrap, topic, 0)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	if _, err := conn.WriteMessages(numbered(0, 50)...); err != nil {
		return err
	}
	_, partition, offset, _, err := conn.WriteCompressedMessagesAt(kafka.Gzip.Codec(), numbered(50, 100)...)
	if err != nil || partition != 0 || offset != 50 {
		return fmt.Errorf("written to partition %d at %d, %w", partition, offset, err)
	}
	if first, last, err := conn.ReadOffsets(); err != nil || first != 0 || last != 100 {
		return fmt.Errorf("from %d to %d, %w", first, last, err)
	}
	if at, err := conn.Seek(10, kafka.SeekEnd); err != nil || at != 90 {
		return fmt.Errorf("sought %d, %w", at, err)
	}
	batch := conn.ReadBatchWith(kafka.ReadBatchConfig{MinBytes: 1, MaxBytes: 1_000_000, MaxWait: time.Second})
	for number := 90; number < 100; number++ {
		message, err := batch.ReadMessage()
		if err != nil || string(message.Value) != strconv.Itoa(number) {
			return fmt.Errorf("%s at %d, %w", message.Value, number, err)
		}
	}
	if _, err := batch.ReadMessage(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("after the end: %w", err)
	}
	return batch.Close()
}

func seeksAndTimes(ctx context.Context) error {
	if err := create(ctx, 1); err != nil {
		return err
	}
	messages := numbered(0, 100)
	for number := range messages {
		messages[number].Time = base.Add(time.Duration(number) * time.Second)
	}
	if err := send(ctx, messages); err != nil {
		return err
	}
	at := base.Add(41_500 * time.Millisecond)
	asked := []kafka.OffsetRequest{kafka.FirstOffsetOf(0), kafka.LastOffsetOf(0), kafka.TimeOffsetOf(0, at)}
	listed, err := client.ListOffsets(ctx, &kafka.ListOffsetsRequest{Topics: map[string][]kafka.OffsetRequest{topic: asked}})
	if err != nil {
		return err
	}
	// An offset is told with the time that was asked for, not with its record's.
	told := listed.Topics[topic][0]
	if told.Error != nil || told.FirstOffset != 0 || told.LastOffset != 100 || !told.Offsets[42].Equal(at) {
		return fmt.Errorf("listed %v", told)
	}
	from := reader()
	defer from.Close()
	if err := from.SetOffset(90); err != nil {
		return err
	}
	tail, err := read(ctx, from, 10)
	if err != nil || tail[0].Offset != 90 {
		return fmt.Errorf("the tail %v, %w", tail, err)
	}
	if err := from.SetOffsetAt(ctx, at); err != nil {
		return err
	}
	later, err := read(ctx, from, 58)
	if err != nil || later[0].Offset != 42 {
		return fmt.Errorf("by time %v, %w", later, err)
	}
	if lag, err := from.ReadLag(ctx); err != nil || lag != 0 {
		return fmt.Errorf("a lag of %d, %w", lag, err)
	}
	return nil
}
