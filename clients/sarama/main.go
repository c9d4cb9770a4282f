// The claims of harness/programs.py for sarama.
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/IBM/sarama"
)

const patience = 60 * time.Second

var (
	brokers      []string
	topic, group string
	words        []string
)

func main() {
	claims := map[string]func() error{
		"records_of_every_kind_come_back":                  everyKind,
		"a_group_of_two_shares_a_topic_and_one_takes_over": sharedTopic,
		"readers_seek_pause_and_find_offsets_by_time":      seeksAndTimes,
		"topics_are_made_described_enlarged_and_deleted":   topics,
		"only_what_was_committed_is_read":                  transactions,
		"a_restart_loses_and_repeats_nothing":              restart,
		"every_admin_call_is_answered":                     administration,
		"a_static_member_is_removed_by_admin":              staticMember,
		"offsets_sent_to_a_transaction_follow_it":          transactionOffsets,
	}
	maps.Copy(claims, claimsOfVersion)
	brokers, topic, group, words = []string{os.Args[2]}, os.Args[3], os.Args[4], os.Args[5:]
	if err := claims[os.Args[1]](); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func config() *sarama.Config {
	cfg := sarama.NewConfig()
	cfg.Version = sarama.MaxVersion
	cfg.Producer.RequiredAcks = sarama.WaitForAll
	cfg.Producer.Return.Successes = true
	cfg.Producer.Partitioner = sarama.NewManualPartitioner
	cfg.Producer.Retry.Max = 1_000
	cfg.Consumer.Offsets.Initial = sarama.OffsetOldest
	// Old versions of this client commit with OffsetCommit 1 without it, new ones ignore it.
	cfg.Consumer.Offsets.Retention = time.Hour
	cfg.Consumer.Group.Heartbeat.Interval = 300 * time.Millisecond
	// A batch of an idempotent producer is given up as soon as no leader is found for it.
	cfg.Metadata.Retry.Max = 200
	return cfg
}

func idempotent() *sarama.Config {
	cfg := config()
	cfg.Producer.Idempotent = true
	cfg.Net.MaxOpenRequests = 1
	return cfg
}

func withAdmin(work func(sarama.ClusterAdmin) error) error {
	admin, err := sarama.NewClusterAdmin(brokers, config())
	if err != nil {
		return err
	}
	return errors.Join(work(admin), admin.Close())
}

func create(partitions int32) error {
	return withAdmin(func(admin sarama.ClusterAdmin) error {
		return admin.CreateTopic(topic, &sarama.TopicDetail{NumPartitions: partitions, ReplicationFactor: 1}, false)
	})
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

func read(from sarama.PartitionConsumer, count int) ([]*sarama.ConsumerMessage, error) {
	var messages []*sarama.ConsumerMessage
	timeout := time.After(patience)
	for len(messages) < count {
		select {
		case message := <-from.Messages():
			messages = append(messages, message)
		case <-timeout:
			return nil, fmt.Errorf("%d of %d records after %v", len(messages), count, patience)
		}
	}
	return messages, nil
}

func readTopic(cfg *sarama.Config, offset int64, count int) ([]*sarama.ConsumerMessage, error) {
	consumer, err := sarama.NewConsumer(brokers, cfg)
	if err != nil {
		return nil, err
	}
	defer consumer.Close()
	partition, err := consumer.ConsumePartition(topic, 0, offset)
	if err != nil {
		return nil, err
	}
	defer partition.Close()
	return read(partition, count)
}

func send(cfg *sarama.Config, messages []*sarama.ProducerMessage) error {
	producer, err := sarama.NewSyncProducer(brokers, cfg)
	if err != nil {
		return err
	}
	return errors.Join(producer.SendMessages(messages), producer.Close())
}

func numbered(count int, partitions int32) []*sarama.ProducerMessage {
	var messages []*sarama.ProducerMessage
	for number := range count {
		messages = append(messages, &sarama.ProducerMessage{Topic: topic, Partition: int32(number) % partitions, Value: sarama.StringEncoder(strconv.Itoa(number))})
	}
	return messages
}

func everyKind() error {
	if err := create(1); err != nil {
		return err
	}
	cfg := config()
	if err := cfg.Producer.Compression.UnmarshalText([]byte(words[0])); err != nil {
		return err
	}
	every := make([]byte, 256)
	for at := range every {
		every[at] = byte(at)
	}
	header := func(name, value string) sarama.RecordHeader {
		return sarama.RecordHeader{Key: []byte(name), Value: []byte(value)}
	}
	wanted := []*sarama.ProducerMessage{
		{Topic: topic, Value: sarama.StringEncoder("keyless")},
		{Topic: topic, Key: sarama.StringEncoder("k"), Headers: []sarama.RecordHeader{header("tombstone", "yes")}},
		{Topic: topic, Key: sarama.ByteEncoder(every), Value: sarama.ByteEncoder(bytes.Repeat(every, 100)), Headers: []sarama.RecordHeader{header("a", "1"), header("a", "2")}},
	}
	for number := range 500 {
		text := strconv.Itoa(number)
		wanted = append(wanted, &sarama.ProducerMessage{Topic: topic, Key: sarama.StringEncoder(text), Value: sarama.ByteEncoder(bytes.Repeat([]byte(text), 50)), Headers: []sarama.RecordHeader{header("n", text)}})
	}
	if err := send(cfg, wanted); err != nil {
		return err
	}
	got, err := readTopic(config(), 0, len(wanted))
	if err != nil {
		return err
	}
	content := func(encoder sarama.Encoder) []byte {
		if encoder == nil {
			return nil
		}
		text, _ := encoder.Encode()
		return text
	}
	for at, want := range wanted {
		have := got[at]
		same := have.Offset == int64(at) && bytes.Equal(have.Key, content(want.Key)) && bytes.Equal(have.Value, content(want.Value)) &&
			(have.Value == nil) == (want.Value == nil) && len(have.Headers) == len(want.Headers)
		for number := range want.Headers {
			same = same && bytes.Equal(have.Headers[number].Key, want.Headers[number].Key) && bytes.Equal(have.Headers[number].Value, want.Headers[number].Value)
		}
		if !same {
			return fmt.Errorf("record %d came back as %v", at, have)
		}
	}
	return nil
}

// A member of the group; it counts what it owns and what it has read.
type member struct {
	group sarama.ConsumerGroup
	stop  context.CancelFunc
	done  chan struct{}
	lock  sync.Mutex
	owned int
	seen  map[string]bool
}

func join(cfg *sarama.Config) (*member, error) {
	joined, err := sarama.NewConsumerGroup(brokers, group, cfg)
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	one := &member{group: joined, stop: stop, done: make(chan struct{}), seen: map[string]bool{}}
	go func() {
		defer close(one.done)
		for ctx.Err() == nil {
			_ = joined.Consume(ctx, []string{topic}, one)
		}
	}()
	return one, nil
}

func (one *member) Setup(session sarama.ConsumerGroupSession) error {
	one.own(len(session.Claims()[topic]))
	return nil
}

func (one *member) Cleanup(sarama.ConsumerGroupSession) error {
	one.own(0)
	return nil
}

func (one *member) ConsumeClaim(session sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	for message := range claim.Messages() {
		one.lock.Lock()
		one.seen[fmt.Sprint(message.Partition, " ", message.Offset)] = true
		one.lock.Unlock()
		session.MarkMessage(message, "")
	}
	return nil
}

func (one *member) own(partitions int) {
	one.lock.Lock()
	defer one.lock.Unlock()
	one.owned = partitions
}

func (one *member) state() (owned, seen int) {
	one.lock.Lock()
	defer one.lock.Unlock()
	return one.owned, len(one.seen)
}

func (one *member) leave() error {
	one.stop()
	<-one.done
	return one.group.Close()
}

func sharedTopic() error {
	return shares(config())
}

func shares(cfg *sarama.Config) error {
	if err := create(4); err != nil {
		return err
	}
	first, err := join(cfg)
	if err != nil {
		return err
	}
	second, err := join(cfg)
	if err != nil {
		return err
	}
	owns := func(one *member, partitions int) bool {
		owned, _ := one.state()
		return owned == partitions
	}
	both := func() int {
		_, left := first.state()
		_, right := second.state()
		return left + right
	}
	if err := until("two partitions each", func() (bool, error) { return owns(first, 2) && owns(second, 2), nil }); err != nil {
		return err
	}
	if err := send(config(), numbered(400, 4)); err != nil {
		return err
	}
	if err := until("all records", func() (bool, error) { return both() >= 400, nil }); err != nil {
		return err
	}
	if err := first.leave(); err != nil {
		return err
	}
	if err := until("the other takes over", func() (bool, error) { return owns(second, 4), nil }); err != nil {
		return err
	}
	if err := send(config(), numbered(100, 4)); err != nil {
		return err
	}
	if err := until("the rest", func() (bool, error) { return both() >= 500, nil }); err != nil {
		return err
	}
	if err := second.leave(); err != nil {
		return err
	}
	return withAdmin(func(admin sarama.ClusterAdmin) error {
		offsets, err := admin.ListConsumerGroupOffsets(group, map[string][]int32{topic: {0, 1, 2, 3}})
		if err != nil {
			return err
		}
		sum := int64(0)
		for _, block := range offsets.Blocks[topic] {
			sum += block.Offset
		}
		if sum != 500 || both() != 500 {
			return fmt.Errorf("%d committed, %d read", sum, both())
		}
		return nil
	})
}

func seeksAndTimes() error {
	if err := create(1); err != nil {
		return err
	}
	base := time.UnixMilli(1_700_000_000_000)
	messages := numbered(100, 1)
	for number, message := range messages {
		message.Timestamp = base.Add(time.Duration(number) * time.Second)
	}
	if err := send(config(), messages); err != nil {
		return err
	}
	client, err := sarama.NewClient(brokers, config())
	if err != nil {
		return err
	}
	defer client.Close()
	for asked, wanted := range map[int64]int64{base.UnixMilli() + 41_500: 42, sarama.OffsetOldest: 0, sarama.OffsetNewest: 100} {
		if found, err := client.GetOffset(topic, 0, asked); err != nil || found != wanted {
			return fmt.Errorf("at %d: %d, %w", asked, found, err)
		}
	}
	tail, err := readTopic(config(), 90, 10)
	if err == nil && tail[0].Offset != 90 {
		err = fmt.Errorf("began at %d", tail[0].Offset)
	}
	return errors.Join(err, pauses())
}

func pauses() error {
	cfg := config()
	cfg.Consumer.MaxWaitTime = 100 * time.Millisecond
	consumer, err := sarama.NewConsumer(brokers, cfg)
	if err != nil {
		return err
	}
	defer consumer.Close()
	partition, err := consumer.ConsumePartition(topic, 0, 0)
	if err != nil {
		return err
	}
	defer partition.Close()
	if _, err := read(partition, 100); err != nil {
		return err
	}
	partition.Pause()
	// A fetch that was sent before the pause still brings what comes.
	time.Sleep(10 * cfg.Consumer.MaxWaitTime)
	if err := send(config(), numbered(5, 1)); err != nil {
		return err
	}
	select {
	case message := <-partition.Messages():
		return fmt.Errorf("read %d in a pause", message.Offset)
	case <-time.After(500 * time.Millisecond):
	}
	partition.Resume()
	more, err := read(partition, 5)
	if err == nil && more[0].Offset != 100 {
		err = fmt.Errorf("resumed at %d", more[0].Offset)
	}
	return err
}

func topics() error {
	if err := create(2); err != nil {
		return err
	}
	return withAdmin(func(admin sarama.ClusterAdmin) error {
		has := func(partitions int) func() (bool, error) {
			return func() (bool, error) {
				told, err := admin.DescribeTopics([]string{topic})
				return err == nil && len(told[0].Partitions) == partitions, err
			}
		}
		if err := until("two partitions", has(2)); err != nil {
			return err
		}
		if err := admin.CreatePartitions(topic, 3, nil, false); err != nil {
			return err
		}
		if err := until("three partitions", has(3)); err != nil {
			return err
		}
		configs, err := admin.DescribeConfig(sarama.ConfigResource{Type: sarama.TopicResource, Name: topic})
		if err != nil || len(configs) < 20 {
			return fmt.Errorf("%d configs, %w", len(configs), err)
		}
		if err := admin.DeleteTopic(topic); err != nil {
			return err
		}
		return until("deleted", func() (bool, error) {
			listed, err := admin.ListTopics()
			_, there := listed[topic]
			return !there, err
		})
	})
}

func transactions() error {
	if err := create(1); err != nil {
		return err
	}
	producer, err := transactional()
	if err != nil {
		return err
	}
	for round := range 4 {
		if err := producer.BeginTxn(); err != nil {
			return err
		}
		for number := range 10 {
			value := sarama.StringEncoder(fmt.Sprint(round, " ", number))
			if _, _, err := producer.SendMessage(&sarama.ProducerMessage{Topic: topic, Value: value}); err != nil {
				return err
			}
		}
		end := producer.CommitTxn
		if round%2 == 1 {
			end = producer.AbortTxn
		}
		if err := end(); err != nil {
			return err
		}
	}
	if err := producer.Close(); err != nil {
		return err
	}
	reading := config()
	reading.Consumer.IsolationLevel = sarama.ReadCommitted
	got, err := readTopic(reading, 0, 20)
	if err != nil {
		return err
	}
	for at, message := range got {
		if want := fmt.Sprint(at/10*2, " ", at%10); string(message.Value) != want {
			return fmt.Errorf("%s is not %s", message.Value, want)
		}
	}
	return nil
}

func restart() error {
	if err := create(1); err != nil {
		return err
	}
	producer, err := producerWithID(idempotent())
	if err != nil {
		return err
	}
	for number := range 400 {
		if number == 200 {
			fmt.Println("half")
		}
		if _, _, err := producer.SendMessage(numbered(number+1, 1)[number]); err != nil {
			return err
		}
	}
	if err := producer.Close(); err != nil {
		return err
	}
	got, err := readTopic(config(), 0, 400)
	if err != nil {
		return err
	}
	for at, message := range got {
		if string(message.Value) != strconv.Itoa(at) {
			return fmt.Errorf("%s at %d", message.Value, at)
		}
	}
	return nil
}
