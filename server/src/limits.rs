//! Every bound of the server with its reason, and the relations between them, checked at compile time.

use std::time::Duration;

// Connections and frames.

/// Largest `node.id`: with a node a shard the ids count up from it, and all must fit an i32.
pub const NODE_ID_MAX: i64 = i32::MAX as i64 - engine::limits::SHARDS_MAX as i64;
/// Largest request frame that can be configured (`socket.request.max.bytes`); Kafka's own default.
pub const REQUEST_BYTES_MAX: usize = 100 << 20;
/// Smallest valid frame: api key, version and correlation id.
pub const REQUEST_BYTES_MIN: usize = 8;
/// First receive buffer of a frame: holds any request but Produce whole, and is cheap to give to a stranger.
pub const RECEIVE_BYTES_FIRST: usize = 16 << 10;
/// A frame below one in so many parts of that buffer is copied out of it.
pub const SMALL_FRAME_PARTS: usize = 4;
/// First buffer for a client that sends large frames: most of them come with one receive.
pub const RECEIVE_BYTES_PROVEN_MAX: usize = 1 << 20;
/// Memory for received frames, a shard. Kafka bounds this only on request (`queued.max.request.bytes`).
pub const FRAME_BUDGET_BYTES_MAX: usize = 128 << 20;
/// ... and with as little memory as a shard works with.
pub const FRAME_BUDGET_BYTES_MIN: usize = 12 << 20;
/// A frame of this size is taken however little memory there is: it holds a largest batch.
pub const REQUEST_BYTES_NEEDED: usize = engine::limits::BATCH_BYTES_MAX + (1 << 20);
/// Memory for answers that carry records, a shard.
pub const ANSWER_BYTES_MAX: usize = 128 << 20;
/// ... and with as little memory as a shard works with: a largest batch and some small ones.
pub const ANSWER_BYTES_MIN: usize = 12 << 20;
/// Memory for topics, partitions, producers and groups, a shard: beyond it new ones are refused.
pub const TABLE_BYTES_MAX: usize = 256 << 20;
/// ... and with as little memory as a shard works with.
pub const TABLE_BYTES_MIN: usize = 16 << 20;
/// The program itself: code, stacks, rings, the catalog's log, the admin page.
pub const PROCESS_BYTES: u64 = 48 << 20;
/// A connection with nothing under way: its task, its places in tables, its socket's descriptor here.
pub const CONNECTION_BYTES: u64 = 6 << 10;
/// Of what is held, one in so many parts more is what the allocator keeps in holes and in its books.
pub const ALLOCATOR_SLACK_PARTS: u64 = 8;
/// What an answer reserves before records are read: more takes another turn of the client. With 16 MiB, eight backfills held so many
/// extents that most of what they got was copied, and produce waited for that; two a turn are a gigabyte a second nearby.
pub const ANSWER_BYTES_AT_ONCE: usize = 2 << 20;
/// An answer gets no more than one in so many parts of what is free of the first half of the budget, so that those who come later get something
/// too.
pub const ANSWER_FREE_PARTS: usize = 8;
/// The second half is given in pieces of this size: enough to go on, and so small that the socket's own buffer takes it.
pub const ANSWER_BYTES_SMALL: usize = 64 << 10;
/// The answers of one connection hold at most one in so many parts of the budget, unless it is one alone: who asks for a hundred and takes none gets
/// no more until these have left. Clients ask for one or two at a time.
pub const ANSWER_SHARE_PARTS: usize = 8;
/// Larger answers leave so much of the budget to those that are no larger than such a piece: these come and go at once, and must not wait until a
/// slow reader of large batches is given up. As many at a time as a shard finishes in a turn or two.
pub const ANSWER_BYTES_KEPT: usize = 16 * ANSWER_BYTES_SMALL;
/// Partitions behind the tail that one Fetch reads at the same time on a shard: their shares of an answer are batches of the size that clients
/// make when they write to many partitions.
pub const FETCH_READS_AT_ONCE: usize = 64;
/// When answers wait for memory, the one that was held longest is given up if it is older than this: its connection is closed, and the client
/// can ask again. Whoever takes its answer at all takes it in less.
pub const ANSWER_HELD_MAX: Duration = Duration::from_secs(5);
/// A Fetch that gets no memory for so long is answered without records, and the client asks again.
pub const ANSWER_MEMORY_WAIT_MAX: Duration = Duration::from_secs(10);
/// Requests of one connection that wait for their answers. librdkafka pipelines without a bound of its own.
pub const PENDING_ANSWERS_MAX: usize = 128;
/// Finished answers of a connection gathered into one send.
pub const SEND_BYTES_TARGET: usize = 256 << 10;
/// Bytes of an answer that must leave within one write-stall deadline: a client that takes 440 bytes a second keeps its connection.
pub const SEND_STEP_BYTES: usize = 256 << 10;
/// Connections of one process when the configuration does not say otherwise; each idle one costs about 6 KiB.
pub const CONNECTIONS_MAX_DEFAULT: usize = 10_000;
/// Sockets that wait for a shard to take them; a full queue stops the acceptor, and the kernel's backlog fills.
pub const ACCEPTED_SOCKETS_MAX: usize = 256;
/// Descriptors kept free for segments, rings and the catalog.
pub const DESCRIPTORS_RESERVED: u64 = 512;

/// Lines of the log for connections that are closed for one kind of reason, in an interval: enough to see who it is, and no more than a megabyte
/// an hour. The rest is told as a number.
pub const CLOSING_LINES_MAX: u64 = 10;
/// ... and that interval.
pub const CLOSING_LINES_INTERVAL: Duration = Duration::from_secs(10);
/// Unserved versions that are remembered as told: names are the clients' own choice, and there may be any number of them. Half a megabyte at most.
pub const UNSERVED_REMEMBERED_MAX: usize = 1_000;

/// A frame must be whole this long after its first byte, unless set otherwise: half a frame and silence must not hold memory.
pub const FRAME_DEADLINE_MS: u64 = 30_000;
/// A step of a send that takes longer closes the connection, unless set otherwise: as long as Kafka lets a connection do nothing. A
/// slow reader blocks only itself, and gives up what it holds when others need it ([`ANSWER_HELD_MAX`]).
pub const WRITE_STALL_DEADLINE_MS: u64 = 600_000;
/// How long a graceful stop waits for answers in flight.
pub const DRAIN_DEADLINE: Duration = Duration::from_secs(10);
/// Connections of the admin page at once: a few scrapers and people; others wait in the backlog.
pub const ADMIN_CONNECTIONS_MAX: usize = 64;
/// A connection of the admin page lives so long, whatever it does: several scrapes, and a silent one keeps its place no longer.
pub const ADMIN_CONNECTION_LIFETIME: Duration = Duration::from_secs(60);
/// Questions of the admin page that wait for a shard; one more finds it busy. Scrapes come every few seconds.
pub const ADMIN_ASKS_MAX: usize = 16;
/// A shard that does not take a message for this long is stuck: no turn of it takes a tenth of that.
pub const LIVE_ANSWER_DEADLINE: Duration = Duration::from_secs(10);
/// How long a scrape waits for a shard; Prometheus itself gives up after 10 s.
pub const METRICS_ANSWER_DEADLINE: Duration = Duration::from_secs(1);
/// How long the probe of the write path may take: far above a flush of a busy disk, and below what clients wait for an answer.
pub const READY_WRITE_DEADLINE: Duration = Duration::from_secs(5);
/// A fetch session that was made or used within this time keeps its place, as in Kafka.
pub const FETCH_SESSION_PROTECTED: Duration = Duration::from_secs(120);
/// What a session holds of one partition: its place twice, and a topic's name of the greatest length.
pub const FETCH_SESSION_PARTITION_BYTES: usize = 512;
/// Of the memory for tables, fetch sessions take one in so many parts at most.
pub const FETCH_SESSION_TABLE_PARTS: usize = 16;
/// Longest wait of a Fetch that a client may ask for; a poll holds a task and its answer slot.
pub const FETCH_WAIT_MAX: Duration = Duration::from_secs(300);

/// Output of one decompressed batch in a search by timestamp, at a produce to a compacted topic, and in its cleaner: bounds a decompression
/// bomb.
pub const DECOMPRESSED_BYTES_MAX: usize = 64 << 20;
/// Records of one request that are put into another codec (`compression.type`) on the shard's thread: the fast ones take half a millisecond for it.
pub const RECOMPRESSED_AT_ONCE_BYTES_MAX: usize = 64 << 10;
/// Larger batches that a shard has in work, each on a thread of its own and with up to [`DECOMPRESSED_BYTES_MAX`] of memory.
pub const RECOMPRESSIONS_AT_ONCE_MAX: usize = 1;
/// How long what came out waits for memory of its own: the request keeps that of its frame meanwhile, so that it may not wait for ever.
pub const RECOMPRESSED_MEMORY_WAIT_MAX: Duration = Duration::from_secs(10);
/// How long a produced batch may wait for its codec or its coordinator where the request has no timeout of its own: as long as producers do by default.
pub const DELAYED_PRODUCE_MAX: Duration = Duration::from_secs(30);
/// Records that one answer names as the reason of a refused batch; a client needs one to know what is wrong.
pub const RECORD_ERRORS_MAX: usize = 100;
/// Access rules of one request that are refused with a sentence each: as many as Kafka changes at once. Of more the code must do, so that the
/// answer is no larger than the request.
pub const ACCESS_RULES_EXPLAINED_MAX: usize = 10_000;

// Topics and partitions.

/// Kafka's bound of a topic name.
pub const TOPIC_NAME_BYTES_MAX: usize = 249;
/// Topics of a broker: the view of the catalog is copied (by reference) at every change.
pub const TOPICS_MAX: usize = 10_000;
/// Partitions of one topic that a request may ask for.
pub const PARTITIONS_PER_TOPIC_MAX: i32 = 10_000;
/// Partitions of a broker; the engine refuses more than this a shard.
pub const PARTITIONS_MAX: usize = engine::limits::LOGS_PER_SHARD_MAX;
/// Partitions, or topics without any, in one answer to `DescribeTopicPartitions`: Kafka's `max.request.partition.size.limit`.
pub const DESCRIBED_PARTITIONS_MAX: usize = 2_000;
/// Bytes of one topic configuration value.
pub const TOPIC_CONFIG_VALUE_BYTES_MAX: usize = 1024;

// Catalog.

/// Producer ids that a shard takes at once; a crash wastes at most one block of each shard, of 2^63.
pub const PRODUCER_ID_BLOCK: i64 = 1000;
/// Bytes of one catalog record batch in a snapshot.
pub const CATALOG_BATCH_BYTES_TARGET: usize = 256 << 10;
/// Bytes of one read while a log is replayed at start.
pub const REPLAY_READ_BYTES: usize = 1 << 20;
/// Live state is appended anew, and the log start raised, when the state's log reaches back over more segments than this. Not more than one:
/// on a full disk there are only the two of the reserve, and one of them can be had again only when nothing lives in it.
pub const SNAPSHOT_AFTER_SEGMENTS: u64 = 1;
/// ... or when it holds more bytes than this.
pub const SNAPSHOT_AFTER_BYTES: u64 = 16 << 20;
/// ... and only after the log, or the whole journal, has grown by so many times the live state: else a large one would be written at every
/// look.
pub const SNAPSHOT_AFTER_LIVE_TIMES: u64 = 4;
/// How often the owner of a state log looks at its size, unless set otherwise.
pub const SNAPSHOT_CHECK_INTERVAL_MS: u64 = 10_000;

// Groups.

/// Partitions of `__consumer_offsets`, as in Kafka; fixed for ever, because a group's coordinator follows from it.
pub const OFFSETS_TOPIC_PARTITIONS: i32 = 50;

const _: () = {
    assert!(RECEIVE_BYTES_FIRST > REQUEST_BYTES_MIN);
    // Memory is the budget and one frame beyond it, so the budget should be the larger part.
    assert!(REQUEST_BYTES_MAX <= FRAME_BUDGET_BYTES_MAX && REQUEST_BYTES_NEEDED <= FRAME_BUDGET_BYTES_MIN);
    // The largest batch finds room also beside small answers, with what it leaves to others.
    assert!(
        engine::limits::BATCH_BYTES_MAX + ANSWER_BYTES_KEPT + ANSWER_BYTES_MIN / ANSWER_SHARE_PARTS <= ANSWER_BYTES_MIN
    );
    // Permits of the budget are counted in u32.
    assert!(FRAME_BUDGET_BYTES_MAX <= u32::MAX as usize && ANSWER_BYTES_MAX <= u32::MAX as usize);
    assert!(REPLAY_READ_BYTES <= engine::limits::BATCH_BYTES_MAX);
    assert!(CATALOG_BATCH_BYTES_TARGET <= engine::limits::BATCH_BYTES_MAX / 4);
};

// groups

/// Groups of one `__consumer_offsets` partition: at 50 partitions half a million, each some 500 bytes without members.
pub const GROUPS_PER_COORDINATOR_MAX: usize = 10_000;
/// Members of a group when `group.max.size` is not set lower. Kafka has no bound; a rebalance answers its leader with all
/// members' metadata, so a bound keeps that answer within a frame.
pub const GROUP_MEMBERS_MAX: usize = 1_000;
/// Ids handed out and not yet used: each costs its session timeout of memory, and a client may ask for any number.
pub const GROUP_PENDING_MEMBERS_MAX: usize = 1_000;
/// Assignors of one member. Clients send one to three.
pub const GROUP_MEMBER_PROTOCOLS_MAX: usize = 32;
/// Names and metadata of one member's assignors. A subscription to 1,000 topics with owned partitions is about 100 KB.
pub const GROUP_MEMBER_METADATA_BYTES_MAX: usize = 256 << 10;
/// Largest batch that a coordinator writes: `max.message.bytes` of `__consumer_offsets` as Kafka creates it.
pub const OFFSETS_BATCH_BYTES_MAX: usize = 1 << 20;
/// A group's record: it must fit a batch alone, with its header.
pub const GROUP_METADATA_BYTES_MAX: usize = OFFSETS_BATCH_BYTES_MAX - 4_096;
/// A snapshot closes a batch beyond this, so that one append never holds the journal's commit for long.
pub const OFFSETS_SNAPSHOT_BATCH_BYTES: usize = 256 << 10;
/// Committed partitions of one group, about 150 bytes each; more than a broker's partitions is a client gone wrong.
pub const GROUP_OFFSETS_MAX: usize = 100_000;
/// Offsets forgotten by one append when their retention ends.
pub const OFFSETS_EXPIRED_PER_BATCH: usize = 1_000;
/// When only static members are left in a rebalance and none is back, the wait is extended by at least this, so that a
/// rebalance timeout of zero does not make the timer spin.
pub const GROUP_REBALANCE_EXTENSION_MS_MIN: i64 = 1_000;
/// Decompressed body of a batch of `__consumer_offsets`; ours are not compressed.
pub const OFFSETS_BODY_BYTES_MAX: usize = 8 << 20;

/// Topics that a member of the consumer protocol reads by name: as many as a broker has.
pub const GROUP_MEMBER_TOPICS_MAX: usize = TOPICS_MAX;
/// A member's id, instance id or rack: clients use UUIDs and names of hosts, and each is kept as long as the member.
pub const GROUP_MEMBER_NAME_BYTES_MAX: usize = 1_024;
/// Partitions and topics that a member says it owns: as many as a broker has, and as many topics.
pub const GROUP_MEMBER_PARTITIONS_MAX: usize = PARTITIONS_MAX + TOPICS_MAX;
/// Longest pattern of a subscription: longer than an alternation of a hundred names.
pub const GROUP_REGEX_BYTES_MAX: usize = 4_096;
/// Memory of one pattern when it is read: every name of a topic runs through it on the shard's thread.
pub const GROUP_REGEX_PROGRAM_BYTES_MAX: usize = 256 << 10;
/// How much of a pattern or a name that is refused is repeated in the answer.
pub const GROUP_SHOWN_CHARS_MAX: usize = 256;
/// Parentheses within parentheses of a pattern.
pub const GROUP_REGEX_NESTING_MAX: u32 = 50;
/// Between two looks at all topics for the patterns of a group, so that many new topics do not mean as many looks. Kafka waits for ten seconds.
pub const GROUP_REGEX_REFRESH_INTERVAL_MS: i64 = 1_000;
/// Rounds in which partitions are moved until no move makes members more alike; each round of the usual subscriptions is the last.
pub const GROUP_BALANCE_PASSES_MAX: usize = 64;
/// After a change of a group could not be written the timers of its members wait so long before the log is tried again.
pub const GROUP_REPAIR_INTERVAL_MS: i64 = 1_000;
/// Requests of a group that wait while a change of it is on its way to the log: one or two of each member.
pub const GROUP_WAITING_EVENTS_MAX: usize = 4 * GROUP_MEMBERS_MAX;

/// Groups with settings of their own; every shard holds them, and a change copies them.
pub const GROUPS_WITH_SETTINGS_MAX: usize = 10_000;

const _: () = assert!(GROUP_METADATA_BYTES_MAX < OFFSETS_BATCH_BYTES_MAX);
const _: () = assert!(OFFSETS_SNAPSHOT_BATCH_BYTES + GROUP_METADATA_BYTES_MAX < 2 * OFFSETS_BATCH_BYTES_MAX);

// transactions

/// Partitions of `__transaction_state`, as in Kafka; fixed for ever, because an id's coordinator follows from it.
pub const TRANSACTIONS_TOPIC_PARTITIONS: i32 = 50;
/// Longest transactional id: names of applications, tasks and partitions are some hundred bytes, and each is kept for a week.
pub const TRANSACTIONAL_ID_BYTES_MAX: usize = 1_024;
/// Transactional ids of one `__transaction_state` partition: at 50 partitions half a million, each some 300 bytes without a transaction.
pub const TRANSACTIONAL_IDS_PER_COORDINATOR_MAX: usize = 10_000;
/// Largest batch that a coordinator of transactions writes: `max.message.bytes` of `__transaction_state`.
pub const TRANSACTIONS_BATCH_BYTES_MAX: usize = 1 << 20;
/// Names and numbers of the partitions of one transaction, as its record holds them: with short names more than 100,000 partitions.
pub const TRANSACTION_PARTITION_BYTES_MAX: usize = (512 << 10) - 4_096;
/// ... when the tables are full: some dozens of partitions, no more than a longest id takes, so that ids that are there can go on.
pub const TRANSACTION_PARTITION_BYTES_SMALL: usize = TRANSACTIONAL_ID_BYTES_MAX;
/// A snapshot closes a batch beyond this; one more record of the largest size fits.
pub const TRANSACTION_SNAPSHOT_BATCH_BYTES: usize = 256 << 10;
/// How often ids are looked at that may be forgotten, as in Kafka, or every `transactional.id.expiration.ms` where that is less.
pub const TRANSACTIONAL_IDS_EXPIRY_CHECK_MS: i64 = 60 * 60 * 1_000;
/// Ids that are forgotten at once: each is an append, and those of others must not wait behind all of a full coordinator.
pub const TRANSACTIONAL_IDS_EXPIRED_AT_ONCE_MAX: usize = 1_000;
/// Between two tries to write a marker that a partition could not take; doubled each time up to the next.
pub const MARKER_RETRY_MIN: Duration = Duration::from_millis(50);
/// ... the longest pause: a partition that cannot be written for long (a full disk) has its marker soon after it can.
pub const MARKER_RETRY_MAX: Duration = Duration::from_secs(5);

/// Partitions of open transactions that a shard knows of, so that it need not ask for each batch: some 5 MiB (48 bytes each,
/// in nodes that are two thirds full).
pub const VERIFIED_PARTITIONS_MAX: usize = 1 << 16;
/// Partitions in the answers to `DescribeTransactions` for ids that the request has named before: a short request must not make a huge answer.
pub const DESCRIBED_AGAIN_PARTITIONS_MAX: usize = 10_000;

/// Markers that an offsets partition remembers for commits that are being verified, which takes some milliseconds: 16 KiB each partition.
pub const LAST_MARKERS_MAX: usize = 1_024;

const _: () = assert!(
    TRANSACTION_SNAPSHOT_BATCH_BYTES + TRANSACTION_PARTITION_BYTES_MAX + TRANSACTIONAL_ID_BYTES_MAX
        < TRANSACTIONS_BATCH_BYTES_MAX
);
