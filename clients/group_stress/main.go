// Groups under stress, and the figures of groups. The first word says what is wanted; the exit code is 0 when nothing is wrong.
package main

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"time"
)

var commands = map[string]func([]string) error{
	"stress":     stress,
	"metadata":   metadataRate,
	"heartbeats": heartbeatRate,
	"rebalance":  rebalanceTime,
}

func main() {
	if len(os.Args) < 2 || commands[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "usage: group_stress stress|metadata|heartbeats|rebalance -bootstrap HOST:PORT ...; -h after a word lists its options")
		os.Exit(2)
	}
	if err := commands[os.Args[1]](os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func stress(words []string) error {
	t := &trial{judge: &judge{}, disturbances: map[string]int{}, orders: orders(), started: time.Now()}
	options := flag.NewFlagSet("stress", flag.ExitOnError)
	options.StringVar(&t.bootstrap, "bootstrap", "", "the broker")
	options.StringVar(&t.name, "name", "stress", "what the names of topics and groups begin with")
	options.IntVar(&t.groupCount, "groups", 100, "groups")
	options.IntVar(&t.members, "members", 20, "members of each")
	options.IntVar(&t.topicCount, "topics", 10, "topics that the groups share")
	options.IntVar(&t.partitions, "partitions", 24, "partitions of each")
	options.IntVar(&t.archivePartitions, "archive", 500, "offsets in each of as many groups without members")
	options.IntVar(&t.recordsPerSecond, "records", 240, "records a second over all topics")
	options.IntVar(&t.kills, "kills", 2, "how often the broker is to be killed during the churn: 'kill' is printed, 'up' expected as a line once it is there again")
	options.Uint64Var(&t.seed, "seed", 0, "what the disturbances are drawn from; 0: drawn, and printed")
	options.DurationVar(&t.seconds, "seconds", 150*time.Second, "length of the churn")
	options.DurationVar(&t.session, "session", 6*time.Second, "session timeout")
	options.DurationVar(&t.rebalance, "rebalance", 10*time.Second, "rebalance timeout")
	options.DurationVar(&t.pace, "pace", 3*time.Second, "mean time between two disturbances of a group")
	options.DurationVar(&t.commitEvery, "commit", time.Second, "time between two commits of a member")
	options.DurationVar(&t.retention, "retention", 0, "the broker's offsets.retention.minutes; 0: expiry is not looked at")
	options.StringVar(&t.lie, "lie", "", "plants a fault in what the judge is told: assignment, commit, record or release; it must be caught")
	if err := options.Parse(words); err != nil {
		return err
	}
	if t.seed == 0 {
		t.seed = rand.Uint64N(1 << 32)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 8*t.seconds+5*time.Minute)
	defer cancel()
	if err := t.run(ctx); err != nil {
		return fmt.Errorf("seed %d: %w", t.seed, err)
	}
	if !t.verdict() {
		os.Exit(1)
	}
	return nil
}
