package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"
)

// A member of the group that commits each message before it takes the next.
type member struct {
	reader *kafka.Reader
	stop   context.CancelFunc
	done   chan struct{}
	lock   sync.Mutex
	seen   []kafka.Message
	failed error
}

func join(ctx context.Context, watching bool) *member {
	one := &member{done: make(chan struct{}), reader: kafka.NewReader(kafka.ReaderConfig{
		Brokers: []string{bootstrap}, Topic: topic, GroupID: group, StartOffset: kafka.FirstOffset, MinBytes: 1, MaxBytes: 10_000_000,
		MaxWait: 200 * time.Millisecond, HeartbeatInterval: 300 * time.Millisecond, SessionTimeout: 10 * time.Second, RebalanceTimeout: 10 * time.Second,
		JoinGroupBackoff: 200 * time.Millisecond, WatchPartitionChanges: watching, PartitionWatchInterval: 200 * time.Millisecond,
	})}
	running, stop := context.WithCancel(ctx)
	one.stop = stop
	go func() {
		defer close(one.done)
		for {
			message, err := one.reader.FetchMessage(running)
			if running.Err() != nil {
				return
			}
			one.lock.Lock()
			if err == nil {
				one.seen = append(one.seen, message)
			}
			one.lock.Unlock()
			if err == nil {
				err = one.reader.CommitMessages(ctx, message)
			}
			one.lock.Lock()
			one.failed = errors.Join(one.failed, err)
			one.lock.Unlock()
		}
	}()
	return one
}

func (one *member) count() (int, error) {
	one.lock.Lock()
	defer one.lock.Unlock()
	return len(one.seen), one.failed
}

func (one *member) leave() error {
	one.stop()
	<-one.done
	return one.reader.Close()
}

// Whether all of them together have read so much.
func haveRead(count int, members ...*member) func() (bool, error) {
	return func() (bool, error) {
		sum, failed := 0, error(nil)
		for _, one := range members {
			read, err := one.count()
			sum, failed = sum+read, errors.Join(failed, err)
		}
		return sum >= count, failed
	}
}

// Whether the group is stable and its members own so many partitions each.
func owns(ctx context.Context, partitions ...int) func() (bool, error) {
	return func() (bool, error) {
		told, err := client.DescribeGroups(ctx, &kafka.DescribeGroupsRequest{GroupIDs: []string{group}})
		if err != nil || told.Groups[0].Error != nil {
			return false, errors.Join(err, told.Groups[0].Error)
		}
		if told.Groups[0].GroupState != "Stable" || len(told.Groups[0].Members) != len(partitions) {
			return false, nil
		}
		for at, one := range told.Groups[0].Members {
			owned := 0
			for _, assigned := range one.MemberAssignments.Topics {
				owned += len(assigned.Partitions)
			}
			if owned != partitions[at] {
				return false, nil
			}
		}
		return true, nil
	}
}

func committed(ctx context.Context, partitions ...int) (map[int]int64, error) {
	answer, err := client.OffsetFetch(ctx, &kafka.OffsetFetchRequest{GroupID: group, Topics: map[string][]int{topic: partitions}})
	if err != nil {
		return nil, err
	}
	offsets, failed := map[int]int64{}, answer.Error
	for _, one := range answer.Topics[topic] {
		offsets[one.Partition], failed = one.CommittedOffset, errors.Join(failed, one.Error)
	}
	return offsets, failed
}

func sharedTopic(ctx context.Context) error {
	if err := create(ctx, 4); err != nil {
		return err
	}
	first, second := join(ctx, false), join(ctx, false)
	if err := until("two partitions each", owns(ctx, 2, 2)); err != nil {
		return err
	}
	if err := send(ctx, numbered(0, 400)); err != nil {
		return err
	}
	if err := until("all records", haveRead(400, first, second)); err != nil {
		return err
	}
	for _, one := range []*member{first, second} {
		if read, err := one.count(); read != 200 {
			return fmt.Errorf("one of them read %d, %w", read, err)
		}
	}
	if err := first.leave(); err != nil {
		return err
	}
	if err := until("the other takes over", owns(ctx, 4)); err != nil {
		return err
	}
	if err := send(ctx, numbered(400, 500)); err != nil {
		return err
	}
	if err := until("the rest", haveRead(500, first, second)); err != nil {
		return err
	}
	if err := second.leave(); err != nil {
		return err
	}
	return onceAndCommitted(ctx, 4, 500, first, second)
}

// Every number once, and every partition committed to its end.
func onceAndCommitted(ctx context.Context, partitions, count int, members ...*member) error {
	times := map[string]int{}
	for _, one := range members {
		for _, message := range one.seen {
			times[string(message.Value)]++
		}
	}
	for number := range count {
		if read := times[strconv.Itoa(number)]; read != 1 {
			return fmt.Errorf("%d was read %d times", number, read)
		}
	}
	for partition := range partitions {
		offsets, err := committed(ctx, partition)
		if err != nil || offsets[partition] != int64(count/partitions) {
			return fmt.Errorf("committed %v, %w", offsets, err)
		}
	}
	return nil
}

func watchingGroup(ctx context.Context) error {
	if err := create(ctx, 1); err != nil {
		return err
	}
	one := join(ctx, true)
	if err := until("the only partition", owns(ctx, 1)); err != nil {
		return err
	}
	if err := enlarge(ctx, 2); err != nil {
		return err
	}
	if err := until("both partitions", owns(ctx, 2)); err != nil {
		return err
	}
	if err := send(ctx, numbered(0, 100)); err != nil {
		return err
	}
	if err := until("all records", haveRead(100, one)); err != nil {
		return err
	}
	if err := one.leave(); err != nil {
		return err
	}
	return onceAndCommitted(ctx, 2, 100, one)
}

func restart(ctx context.Context) error {
	if err := create(ctx, 1); err != nil {
		return err
	}
	consumer, one := join(ctx, false), writer()
	for number := range 400 {
		if number == 200 {
			fmt.Println("half")
		}
		// The writer itself gives up while the broker that comes back has no leader to tell.
		if err := until("written", func() (bool, error) {
			return one.WriteMessages(ctx, numbered(number, number+1)...) == nil, ctx.Err()
		}); err != nil {
			return err
		}
	}
	if err := one.Close(); err != nil {
		return err
	}
	// How many came, each after the one before it; less than none when one was left out. What came before may come again.
	inOrder := func() int {
		consumer.lock.Lock()
		defer consumer.lock.Unlock()
		next := 0
		for _, message := range consumer.seen {
			number, err := strconv.Atoi(string(message.Value))
			if err != nil || number > next {
				return -1
			}
			next = max(next, number+1)
		}
		return next
	}
	if err := until("all in order", func() (bool, error) { return inOrder() == 400 || inOrder() < 0, nil }); err != nil {
		return err
	}
	if inOrder() < 0 {
		return errors.New("something was lost")
	}
	return consumer.leave()
}
