package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	metadataVersion  = 12
	heartbeatVersion = 4
	joinVersion      = 9
	syncVersion      = 5
	leaveVersion     = 5
	findVersion      = 3
	createVersion    = 5
)

// metadataRate asks for the metadata of some topics, each connection as soon as it has its answer.
func metadataRate(words []string) error {
	options := flag.NewFlagSet("metadata", flag.ExitOnError)
	bootstrap := options.String("bootstrap", "", "the broker")
	topics := options.Int("topics", 1, "topics in a request; they are made when they are not there")
	connections := options.Int("connections", 8, "connections")
	length := options.Duration("seconds", 5*time.Second, "measured time, after a second of warm-up")
	if err := options.Parse(words); err != nil {
		return err
	}
	names, err := makeTopics(*bootstrap, *topics)
	if err != nil {
		return err
	}
	request := kmsg.NewPtrMetadataRequest()
	for _, name := range names {
		topic := kmsg.NewMetadataRequestTopic()
		topic.Topic = kmsg.StringPtr(name)
		request.Topics = append(request.Topics, topic)
	}
	frame := encode(request, metadataVersion)
	var links []*link
	var frames [][]byte
	for range *connections {
		one, err := dialLink(*bootstrap)
		if err != nil {
			return err
		}
		answer, err := ask[*kmsg.MetadataResponse](one, request, metadataVersion)
		if err != nil {
			return err
		}
		for _, topic := range answer.Topics {
			if err := kerr.ErrorForCode(topic.ErrorCode); err != nil || len(topic.Partitions) != 1 {
				return fmt.Errorf("topic %v: %d partitions, %w", *topic.Topic, len(topic.Partitions), err)
			}
		}
		links, frames = append(links, one), append(frames, frame)
	}
	return report(links, frames, *length)
}

func makeTopics(bootstrap string, count int) ([]string, error) {
	one, err := dialLink(bootstrap)
	if err != nil {
		return nil, err
	}
	defer one.conn.Close()
	request := kmsg.NewPtrCreateTopicsRequest()
	request.TimeoutMillis = 30_000
	var names []string
	for number := range count {
		topic := kmsg.NewCreateTopicsRequestTopic()
		topic.Topic, topic.NumPartitions, topic.ReplicationFactor = fmt.Sprintf("figures-%03d", number), 1, 1
		request.Topics = append(request.Topics, topic)
		names = append(names, topic.Topic)
	}
	answer, err := ask[*kmsg.CreateTopicsResponse](one, request, createVersion)
	if err != nil {
		return nil, err
	}
	for _, topic := range answer.Topics {
		if topic.ErrorCode != 0 && topic.ErrorCode != kerr.TopicAlreadyExists.Code {
			return nil, kerr.ErrorForCode(topic.ErrorCode)
		}
	}
	return names, nil
}

// heartbeatRate has the members of one idle group send heartbeats, each on its connection as soon as it has its answer.
func heartbeatRate(words []string) error {
	options := flag.NewFlagSet("heartbeats", flag.ExitOnError)
	bootstrap := options.String("bootstrap", "", "the broker")
	members := options.Int("members", 1, "members of the group, a connection each")
	length := options.Duration("seconds", 5*time.Second, "measured time, after a second of warm-up")
	if err := options.Parse(words); err != nil {
		return err
	}
	crowd, err := assemble(*bootstrap, fmt.Sprintf("figures-heartbeats-%d-%d", *members, time.Now().UnixNano()), *members)
	if err != nil {
		return err
	}
	var links []*link
	var frames [][]byte
	for _, one := range crowd.stop() {
		answer, err := ask[*kmsg.HeartbeatResponse](one.link, one.heartbeat(), heartbeatVersion)
		if err == nil {
			err = kerr.ErrorForCode(answer.ErrorCode)
		}
		if err != nil {
			return err
		}
		links, frames = append(links, one.link), append(frames, encode(one.heartbeat(), heartbeatVersion))
	}
	if err := report(links, frames, *length); err != nil {
		return err
	}
	return crowd.dissolve()
}

// report prints how many answers a second came in over all links. An answer must be as the first one of its link, byte for byte:
// what is asked does not change, so another answer is an error.
func report(links []*link, frames [][]byte, length time.Duration) error {
	counts, errs := make([]int, len(links)), make([]error, len(links))
	begin := time.Now().Add(time.Second)
	end := begin.Add(length)
	var all sync.WaitGroup
	for number, one := range links {
		all.Go(func() {
			first, err := one.exchange(frames[number])
			first = bytes.Clone(first)
			for err == nil {
				var answer []byte
				if answer, err = one.exchange(frames[number]); err != nil {
					break
				}
				if !bytes.Equal(answer, first) {
					err = fmt.Errorf("the answer changed from %x to %x", first[:min(len(first), 64)], answer[:min(len(answer), 64)])
				}
				if now := time.Now(); now.After(end) {
					break
				} else if now.After(begin) {
					counts[number]++
				}
			}
			errs[number] = err
		})
	}
	all.Wait()
	total := 0
	for number := range links {
		if errs[number] != nil {
			return errs[number]
		}
		total += counts[number]
	}
	return json.NewEncoder(os.Stdout).Encode(map[string]float64{"per_second": float64(total) / length.Seconds()})
}
