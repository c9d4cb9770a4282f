// The claims of harness/programs.py for kafka-go.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/segmentio/kafka-go"
)

const patience = 60 * time.Second

var (
	bootstrap, topic, group string
	words                   []string
	client                  *kafka.Client
)

func main() {
	claims := map[string]func(context.Context) error{
		"records_of_every_kind_come_back":                   everyKind,
		"a_connection_writes_seeks_and_reads":               connection,
		"a_group_of_two_shares_a_topic_and_one_takes_over":  sharedTopic,
		"a_watching_group_takes_up_new_partitions":          watchingGroup,
		"readers_seek_and_find_offsets_by_time":             seeksAndTimes,
		"topics_are_made_described_enlarged_and_deleted":    topics,
		"offsets_of_a_group_are_moved_and_deleted_by_admin": groupAdmin,
		"offsets_sent_to_a_transaction_follow_it":           transactionOffsets,
		"a_restart_loses_nothing":                           restart,
	}
	bootstrap, topic, group, words = os.Args[2], os.Args[3], os.Args[4], os.Args[5:]
	// Metadata is answered from the transport's memory, which must not outlive a wait for a change of it.
	client = &kafka.Client{Addr: kafka.TCP(bootstrap), Transport: &kafka.Transport{ClientID: "claims", MetadataTTL: 100 * time.Millisecond}}
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Second)
	defer cancel()
	if err := claims[os.Args[1]](ctx); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func create(ctx context.Context, partitions int, configs ...kafka.ConfigEntry) error {
	wanted := kafka.TopicConfig{Topic: topic, NumPartitions: partitions, ReplicationFactor: 1, ConfigEntries: configs}
	answer, err := client.CreateTopics(ctx, &kafka.CreateTopicsRequest{Topics: []kafka.TopicConfig{wanted}})
	if err != nil {
		return err
	}
	return answer.Errors[topic]
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

// A writer that puts numbered messages into the partition of their number.
func writer() *kafka.Writer {
	byNumber := func(message kafka.Message, partitions ...int) int {
		number, err := strconv.Atoi(string(message.Value))
		if err != nil {
			return partitions[0]
		}
		return partitions[number%len(partitions)]
	}
	return &kafka.Writer{
		Addr: kafka.TCP(bootstrap), Topic: topic, Balancer: kafka.BalancerFunc(byNumber), RequiredAcks: kafka.RequireAll,
		BatchSize: 1_000, BatchTimeout: 10 * time.Millisecond, MaxAttempts: 200, Transport: client.Transport,
	}
}

func numbered(begin, end int) []kafka.Message {
	var messages []kafka.Message
	for number := begin; number < end; number++ {
		messages = append(messages, kafka.Message{Value: []byte(strconv.Itoa(number))})
	}
	return messages
}

func send(ctx context.Context, messages []kafka.Message) error {
	one := writer()
	return errors.Join(one.WriteMessages(ctx, messages...), one.Close())
}

func reader() *kafka.Reader {
	return kafka.NewReader(kafka.ReaderConfig{
		Brokers: []string{bootstrap}, Topic: topic, Partition: 0, MinBytes: 1, MaxBytes: 10_000_000, MaxWait: 200 * time.Millisecond,
	})
}

func read(ctx context.Context, from *kafka.Reader, count int) ([]kafka.Message, error) {
	var messages []kafka.Message
	for len(messages) < count {
		message, err := from.ReadMessage(ctx)
		if err != nil {
			return nil, fmt.Errorf("%d of %d messages: %w", len(messages), count, err)
		}
		messages = append(messages, message)
	}
	return messages, nil
}
