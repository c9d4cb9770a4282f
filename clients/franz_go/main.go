// The claims of harness/programs.py for franz-go.
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

const patience = 60 * time.Second

var (
	bootstrap, topic, group string
	words                   []string
)

func main() {
	claims := map[string]func(context.Context) error{
		"records_of_every_kind_come_back":                  everyKind,
		"a_group_of_two_shares_a_topic_and_one_takes_over": sharedTopic,
		"readers_seek_pause_and_find_offsets_by_time":      seeksAndTimes,
		"topics_are_made_described_enlarged_and_deleted":   topics,
		"only_what_was_committed_is_read":                  transactions,
		"a_restart_loses_and_repeats_nothing":              restart,
	}
	bootstrap, topic, group, words = os.Args[2], os.Args[3], os.Args[4], os.Args[5:]
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Second)
	defer cancel()
	if err := claims[os.Args[1]](ctx); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func client(options ...kgo.Opt) (*kgo.Client, error) {
	return kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(bootstrap), kgo.RecordPartitioner(kgo.ManualPartitioner())}, options...)...)
}

func create(ctx context.Context, partitions int32) error {
	cl, err := client()
	if err != nil {
		return err
	}
	defer cl.Close()
	_, err = kadm.NewClient(cl).CreateTopic(ctx, partitions, 1, nil, topic)
	return err
}

func until(what string, isSo func() (bool, error)) error {
	deadline := time.Now().Add(patience)
	for {
		if so, err := isSo(); so || err != nil {
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("after %v still not: %s", patience, what)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func read(ctx context.Context, cl *kgo.Client, count int) ([]*kgo.Record, error) {
	var records []*kgo.Record
	for len(records) < count {
		fetches := cl.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return nil, fmt.Errorf("%d of %d records: %w", len(records), count, err)
		}
		records = append(records, fetches.Records()...)
	}
	return records, nil
}

func readTopic(ctx context.Context, count int, options ...kgo.Opt) ([]*kgo.Record, error) {
	start := map[string]map[int32]kgo.Offset{topic: {0: kgo.NewOffset().AtStart()}}
	cl, err := client(append(options, kgo.ConsumePartitions(start))...)
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	return read(ctx, cl, count)
}

func everyKind(ctx context.Context) error {
	codecs := map[string]kgo.CompressionCodec{
		"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(),
		"lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
	}
	if err := create(ctx, 1); err != nil {
		return err
	}
	cl, err := client(kgo.ProducerBatchCompression(codecs[words[0]]), kgo.ProducerLinger(50*time.Millisecond))
	if err != nil {
		return err
	}
	defer cl.Close()
	every := make([]byte, 256)
	for at := range every {
		every[at] = byte(at)
	}
	wanted := []*kgo.Record{
		{Topic: topic, Value: []byte("keyless")},
		{Topic: topic, Key: []byte("k"), Headers: []kgo.RecordHeader{{Key: "tombstone", Value: []byte("yes")}}},
		{Topic: topic, Key: every, Value: bytes.Repeat(every, 100), Headers: []kgo.RecordHeader{{Key: "a", Value: []byte("1")}, {Key: "b"}, {Key: "a", Value: []byte("2")}}},
	}
	for number := range 500 {
		text := []byte(strconv.Itoa(number))
		wanted = append(wanted, &kgo.Record{Topic: topic, Key: text, Value: bytes.Repeat(text, 50), Headers: []kgo.RecordHeader{{Key: "n", Value: text}}})
	}
	if err := cl.ProduceSync(ctx, wanted...).FirstErr(); err != nil {
		return err
	}
	got, err := readTopic(ctx, len(wanted))
	if err != nil {
		return err
	}
	for at, want := range wanted {
		have := got[at]
		same := have.Offset == int64(at) && bytes.Equal(have.Key, want.Key) && bytes.Equal(have.Value, want.Value) &&
			(have.Key == nil) == (want.Key == nil) && (have.Value == nil) == (want.Value == nil) && len(have.Headers) == len(want.Headers)
		for number := range want.Headers {
			same = same && have.Headers[number].Key == want.Headers[number].Key && bytes.Equal(have.Headers[number].Value, want.Headers[number].Value)
		}
		if !same {
			return fmt.Errorf("record %d came back as %v", at, have)
		}
	}
	return nil
}

type member struct {
	client *kgo.Client
	stop   context.CancelFunc
	done   chan struct{}
	lock   sync.Mutex
	owned  map[int32]bool
	seen   map[string]bool
}

func join(ctx context.Context) (*member, error) {
	one := &member{owned: map[int32]bool{}, seen: map[string]bool{}, done: make(chan struct{})}
	change := func(owned bool) func(context.Context, *kgo.Client, map[string][]int32) {
		return func(_ context.Context, _ *kgo.Client, changed map[string][]int32) {
			one.lock.Lock()
			defer one.lock.Unlock()
			for _, partition := range changed[topic] {
				if owned {
					one.owned[partition] = true
				} else {
					delete(one.owned, partition)
				}
			}
		}
	}
	cl, err := client(kgo.ConsumerGroup(group), kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.DisableAutoCommit(), kgo.HeartbeatInterval(300*time.Millisecond),
		kgo.OnPartitionsAssigned(change(true)), kgo.OnPartitionsRevoked(change(false)), kgo.OnPartitionsLost(change(false)))
	if err != nil {
		return nil, err
	}
	one.client = cl
	running, stop := context.WithCancel(ctx)
	one.stop = stop
	go func() {
		defer close(one.done)
		for running.Err() == nil {
			records := cl.PollFetches(running).Records()
			one.lock.Lock()
			for _, record := range records {
				one.seen[fmt.Sprint(record.Partition, " ", record.Offset)] = true
			}
			one.lock.Unlock()
			if len(records) > 0 {
				_ = cl.CommitRecords(ctx, records...)
			}
		}
	}()
	return one, nil
}

func (one *member) has(partitions int) bool {
	one.lock.Lock()
	defer one.lock.Unlock()
	return len(one.owned) == partitions
}

func (one *member) count() int {
	one.lock.Lock()
	defer one.lock.Unlock()
	return len(one.seen)
}

func (one *member) leave() {
	one.stop()
	<-one.done
	one.client.Close()
}

func send(ctx context.Context, count int, partitions int32, options ...kgo.Opt) error {
	cl, err := client(options...)
	if err != nil {
		return err
	}
	defer cl.Close()
	var records []*kgo.Record
	for number := range count {
		records = append(records, &kgo.Record{Topic: topic, Partition: int32(number) % partitions, Value: []byte(strconv.Itoa(number))})
	}
	return cl.ProduceSync(ctx, records...).FirstErr()
}

func sharedTopic(ctx context.Context) error {
	if err := create(ctx, 4); err != nil {
		return err
	}
	first, err := join(ctx)
	if err != nil {
		return err
	}
	second, err := join(ctx)
	if err != nil {
		return err
	}
	if err := until("two partitions each", func() (bool, error) { return first.has(2) && second.has(2), nil }); err != nil {
		return err
	}
	if err := send(ctx, 400, 4); err != nil {
		return err
	}
	if err := until("all records", func() (bool, error) { return first.count()+second.count() >= 400, nil }); err != nil {
		return err
	}
	if first.count() == 0 || second.count() == 0 {
		return errors.New("one of them read nothing")
	}
	read := first.count()
	first.leave()
	if err := until("the other takes over", func() (bool, error) { return second.has(4), nil }); err != nil {
		return err
	}
	if err := send(ctx, 100, 4); err != nil {
		return err
	}
	if err := until("the rest", func() (bool, error) { return read+second.count() >= 500, nil }); err != nil {
		return err
	}
	second.leave()
	cl, err := client()
	if err != nil {
		return err
	}
	defer cl.Close()
	committed, err := kadm.NewClient(cl).FetchOffsets(ctx, group)
	if err != nil {
		return err
	}
	sum := int64(0)
	committed.Each(func(offset kadm.OffsetResponse) { sum += offset.At })
	if sum != 500 || read+second.count() != 500 {
		return fmt.Errorf("%d committed, %d read", sum, read+second.count())
	}
	return nil
}

func seeksAndTimes(ctx context.Context) error {
	if err := create(ctx, 1); err != nil {
		return err
	}
	sender, err := client()
	if err != nil {
		return err
	}
	defer sender.Close()
	base := time.UnixMilli(1_700_000_000_000)
	var records []*kgo.Record
	for number := range 100 {
		records = append(records, &kgo.Record{Topic: topic, Value: []byte(strconv.Itoa(number)), Timestamp: base.Add(time.Duration(number) * time.Second)})
	}
	if err := sender.ProduceSync(ctx, records...).FirstErr(); err != nil {
		return err
	}
	cl, err := client(kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {0: kgo.NewOffset().At(90)}}))
	if err != nil {
		return err
	}
	defer cl.Close()
	listed, err := kadm.NewClient(cl).ListOffsetsAfterMilli(ctx, base.UnixMilli()+41_500, topic)
	if err != nil {
		return err
	}
	if found, _ := listed.Lookup(topic, 0); found.Offset != 42 || found.Timestamp != base.UnixMilli()+42_000 {
		return fmt.Errorf("found %v", found)
	}
	tail, err := read(ctx, cl, 10)
	if err != nil {
		return err
	}
	if string(tail[0].Value) != "90" {
		return fmt.Errorf("began at %s", tail[0].Value)
	}
	cl.PauseFetchPartitions(map[string][]int32{topic: {0}})
	cl.SetOffsets(map[string]map[int32]kgo.EpochOffset{topic: {0: {Epoch: -1, Offset: 0}}})
	short, cancel := context.WithTimeout(ctx, 500*time.Millisecond)
	paused := cl.PollFetches(short)
	cancel()
	if paused.NumRecords() > 0 {
		return errors.New("a paused partition was read")
	}
	cl.ResumeFetchPartitions(map[string][]int32{topic: {0}})
	again, err := read(ctx, cl, 1)
	if err == nil && again[0].Offset != 0 {
		err = fmt.Errorf("resumed at %d", again[0].Offset)
	}
	return err
}

func topics(ctx context.Context) error {
	if err := create(ctx, 2); err != nil {
		return err
	}
	cl, err := client()
	if err != nil {
		return err
	}
	defer cl.Close()
	admin := kadm.NewClient(cl)
	has := func(partitions int) func() (bool, error) {
		return func() (bool, error) {
			listed, err := admin.ListTopics(ctx, topic)
			return len(listed[topic].Partitions) == partitions, err
		}
	}
	if err := until("two partitions", has(2)); err != nil {
		return err
	}
	if _, err := admin.CreatePartitions(ctx, 1, topic); err != nil {
		return err
	}
	if err := until("three partitions", has(3)); err != nil {
		return err
	}
	configs, err := admin.DescribeTopicConfigs(ctx, topic)
	if err != nil || len(configs[0].Configs) < 20 {
		return fmt.Errorf("configs: %v %w", configs, err)
	}
	logs, err := admin.DescribeAllLogDirs(ctx, kadm.TopicsSet{topic: {0: {}, 1: {}, 2: {}}})
	if err != nil {
		return err
	}
	described := 0
	logs.Each(func(dir kadm.DescribedLogDir) {
		err = errors.Join(err, dir.Err)
		dir.Topics.Each(func(kadm.DescribedLogDirPartition) { described++ })
	})
	if err != nil || described != 3 {
		return fmt.Errorf("%d partitions in log dirs, %w", described, err)
	}
	if _, err := admin.DeleteTopic(ctx, topic); err != nil {
		return err
	}
	return until("deleted", func() (bool, error) {
		listed, err := admin.ListTopics(ctx)
		return !listed.Has(topic), err
	})
}

func transactions(ctx context.Context) error {
	if err := create(ctx, 1); err != nil {
		return err
	}
	cl, err := client(kgo.TransactionalID(topic + "-id"))
	if err != nil {
		return err
	}
	defer cl.Close()
	for round := range 4 {
		if err := cl.BeginTransaction(); err != nil {
			return err
		}
		for number := range 10 {
			record := &kgo.Record{Topic: topic, Value: []byte(fmt.Sprint(round, " ", number))}
			if err := cl.ProduceSync(ctx, record).FirstErr(); err != nil {
				return err
			}
		}
		if err := cl.EndTransaction(ctx, kgo.TransactionEndTry(round%2 == 0)); err != nil {
			return err
		}
	}
	got, err := readTopic(ctx, 20, kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	if err != nil {
		return err
	}
	for at, record := range got {
		if want := fmt.Sprint(at/10*2, " ", at%10); string(record.Value) != want {
			return fmt.Errorf("%s is not %s", record.Value, want)
		}
	}
	return nil
}

func restart(ctx context.Context) error {
	if err := create(ctx, 1); err != nil {
		return err
	}
	cl, err := client()
	if err != nil {
		return err
	}
	defer cl.Close()
	var lock sync.Mutex
	var failed error
	for number := range 2_000 {
		if number == 1_000 {
			if err := cl.Flush(ctx); err != nil {
				return err
			}
			fmt.Println("half")
		}
		cl.Produce(ctx, &kgo.Record{Topic: topic, Value: []byte(strconv.Itoa(number))}, func(_ *kgo.Record, err error) {
			lock.Lock()
			defer lock.Unlock()
			failed = errors.Join(failed, err)
		})
		time.Sleep(time.Millisecond)
	}
	if err := errors.Join(cl.Flush(ctx), failed); err != nil {
		return err
	}
	got, err := readTopic(ctx, 2_000)
	if err != nil {
		return err
	}
	for at, record := range got {
		if string(record.Value) != strconv.Itoa(at) {
			return fmt.Errorf("%s at %d", record.Value, at)
		}
	}
	return nil
}
