package monitor

import (
	"math"
	"slices"

	"deepstream-fast/engine"
	"deepstream-fast/protocol"
	"deepstream-fast/store"
)

// Types of metrics.
const (
	typeCounter   = "counter"
	typeGauge     = "gauge"
	typeHistogram = "histogram"
)

// put takes one value of a family, with those of its labels.
type put = func(value float64, labels ...string)

// families are the metrics. What they are called and what their labels are called is for ever; the
// values of labels come from fixed sets.
var families = slices.Concat(coreFamilies, edgeFamilies, doorFamilies, operationFamilies)

// coreFamilies are about connections, messages, records and loops.
var coreFamilies = []Family{
	// Messages.
	byKind("deepstream_messages_received_total", "Messages of logged-in clients that were handed to their topic, those refused by permissions included.",
		func(s *Sample) *[protocol.Kinds]uint64 { return &s.Received }),
	byKind("deepstream_messages_sent_total", "Messages and acknowledgements to a single connection.",
		func(s *Sample) *[protocol.Kinds]uint64 { return &s.Sent }),
	byKind("deepstream_deliveries_total", "Messages to the subscribers of a name, counted per subscriber.",
		func(s *Sample) *[protocol.Kinds]uint64 { return &s.Delivered }),
	byKind("deepstream_names_denied_total", "Names of requests that were answered with MESSAGE_DENIED, by the action of the request.",
		func(s *Sample) *[protocol.Kinds]uint64 { return &s.Denied }),
	byKind("deepstream_names_failed_total", "Names of requests that were answered with MESSAGE_PERMISSION_ERROR, by the action of the request.",
		func(s *Sample) *[protocol.Kinds]uint64 { return &s.Failed }),
	{
		Name: "deepstream_publication_recipients", Type: typeHistogram,
		Help:      "Subscribers that one publication reached on one loop. A publication to subscribers on several loops counts on each.",
		histogram: publications,
	},
	counter("deepstream_websocket_messages_received_total", "Complete WebSocket messages received; one may hold several of the protocol.",
		func(s *Sample) uint64 { return s.Engine.MessagesIn }),
	counter("deepstream_received_bytes_total", "Bytes received from clients, headers of all layers above TCP included.",
		func(s *Sample) uint64 { return s.Engine.BytesIn }),
	counter("deepstream_sent_bytes_total", "Bytes given to clients' sockets, headers of all layers above TCP included.",
		func(s *Sample) uint64 { return s.Engine.BytesOut }),
	counter("deepstream_socket_writes_total", "System calls that sent these bytes.",
		func(s *Sample) uint64 { return s.Engine.Writes }),

	// Connections.
	gauge("deepstream_connections", "Open sockets of clients, those handed over to the HTTP server included.",
		func(s *Sample) int { return s.Engine.Connections() + s.Web.Connections.Connections }),
	counter("deepstream_connections_opened_total", "Sockets accepted.", func(s *Sample) uint64 { return s.Engine.Opened }),
	{
		Name: "deepstream_connections_closed_total", Type: typeCounter, Labels: []string{"reason"},
		Help: "Sockets that the loops have closed, by the first reason for it: peer (it hung up or its network did), request (plain HTTP, or no WebSocket for it), " +
			"head_timeout, heartbeat_timeout, protocol_error, too_big, policy (login), slow_consumer, overload, drain, panic, proxy_header, tls_handshake " +
			"or handed_over (it went on in the HTTP server).",
		values: func(s *Sample, put put) {
			for why := range engine.Endings {
				put(float64(s.Engine.Ended[why]), why.String())
			}
		},
	},
	{
		Name: "deepstream_connections_refused_total", Type: typeCounter, Labels: []string{"reason"},
		Help: "Connections that were not taken: limit (maxConnections is reached, or the server stops) or error (the system could not).",
		values: func(s *Sample, put put) {
			put(float64(s.Engine.Refused), "limit")
			put(float64(s.Engine.Unable), "error")
		},
	},
	counter("deepstream_websocket_upgrades_total", "WebSocket handshakes completed.", func(s *Sample) uint64 { return s.Engine.Upgrades }),
	counter("deepstream_http_requests_total", "Plain HTTP requests answered, by the loops themselves (health checks) or by the HTTP server.", requests),
	{
		Name: "deepstream_logins_total", Type: typeCounter, Labels: []string{"endpoint", "result"},
		Help: "Decisions about logins: allowed or declined, by endpoint: websocket or http.",
		values: func(s *Sample, put put) {
			for e, l := range s.Logins {
				put(float64(l.Allowed), endpointLabels[e], "allowed")
				put(float64(l.Declined), endpointLabels[e], "declined")
			}
		},
	},
	counter("deepstream_login_timeouts_total", "Connections closed because they did not log in.", func(s *Sample) uint64 { return s.LoginTimeouts }),
	gauge("deepstream_sessions", "Connections that are logged in.", func(s *Sample) int { return s.Sessions }),
	gauge("deepstream_online_users", "Different users that are logged in, as presence counts them.", func(s *Sample) int { return s.Users }),

	// Slow consumers.
	gauge("deepstream_connections_blocked", "Connections that do not take what they are sent at the moment.", func(s *Sample) int { return s.Engine.Blocked }),
	counter("deepstream_connections_blocked_total", "How often a connection began not to take what it was sent.", func(s *Sample) uint64 { return s.Engine.BlockedEver }),
	gauge("deepstream_send_queue_bytes", "Memory of what waits for such connections; what several of them wait for together is not counted.",
		func(s *Sample) int { return int(s.Engine.OwedBytes) }),
	{
		Name: "deepstream_drops_total", Type: typeCounter, Labels: []string{"reason"},
		Help: "Deliveries lost: slow_consumer (frames, policies drop-new and drop-oldest), mailbox_full (publications for one loop), " +
			"record_overrun (record messages whose receivers were disconnected instead).",
		values: func(s *Sample, put put) {
			put(float64(s.Engine.DroppedFrames), "slow_consumer")
			put(float64(s.Engine.DroppedMail), "mailbox_full")
			put(float64(s.Overruns), "record_overrun")
		},
	},
	counter("deepstream_dropped_bytes_total", "Bytes of the frames dropped for slow consumers.", func(s *Sample) uint64 { return s.Engine.DroppedBytes }),

	// What clients hold.
	byTopic("deepstream_subscriptions", "Subscriptions of connections to names; of RPC, connections that provide a name.",
		allTopics, func(t *Topic) int { return t.Subscriptions }),
	byTopic("deepstream_subscribed_names", "Different names with a subscriber; of RPC, with a provider.",
		allTopics, func(t *Topic) int { return t.Names }),
	byTopic("deepstream_listen_patterns", "Different patterns listened to.", listening, func(t *Topic) int { return t.Patterns }),
	byTopic("deepstream_listen_provided_names", "Names with an active listener.", listening, func(t *Topic) int { return t.Provided }),
	gauge("deepstream_rpc_calls_open", "Calls that are not answered yet.", func(s *Sample) int { return s.Calls }),
	counter("deepstream_rpc_calls_refused_total", "Calls over a limit.", func(s *Sample) uint64 { return s.CallsRefused }),

	// Records.
	gauge("deepstream_record_requests_pending", "Requests about records, loads and saves that are not done.", func(s *Sample) int { return s.Records.Pending }),
	counter("deepstream_record_requests_refused_total", "Requests about records over a limit.", func(s *Sample) uint64 { return s.Records.Refused }),
	counter("deepstream_record_timeouts_total", "Loads and saves that were given up.", func(s *Sample) uint64 { return s.Records.Timeouts }),
	counter("deepstream_record_saves_lost_total", "Failed saves that nobody tries again.", func(s *Sample) uint64 { return s.Records.Lost }),
	gauge("deepstream_cache_records", "Records in the cache.", func(s *Sample) int { return s.Records.Cached }),
	gauge("deepstream_cache_bytes", "Memory of the cache.", func(s *Sample) int { return int(s.Records.CachedBytes) }),
	{
		Name: "deepstream_cache_lookups_total", Type: typeCounter, Labels: []string{"result"}, Help: "Looks for a record in the cache: hit or miss.",
		values: func(s *Sample, put put) {
			put(float64(s.Records.CacheHits), "hit")
			put(float64(s.Records.CacheMisses), "miss")
		},
	},
	counter("deepstream_cache_evictions_total", "Records that made room for others.", func(s *Sample) uint64 { return s.Records.CacheEvicts }),
	{
		Name: "deepstream_json_parses_total", Type: typeCounter, Labels: []string{"reason"},
		Help: "Looks into JSON: validate (what a client sent), read (for a permission), patch or patch_multi.",
		values: func(s *Sample, put put) {
			for i, label := range parseLabels() {
				if i < len(s.Parses) {
					put(float64(s.Parses[i]), label)
				}
			}
		},
	},

	// Storage. Without one these are missing.
	stored("deepstream_storage_writable", typeGauge, "1 while the storage takes writes, else 0.", func(st *store.Stats) float64 {
		if st.Degraded != nil {
			return 0
		}
		return 1
	}),
	{
		Name: "deepstream_storage_writes_total", Type: typeCounter, Labels: []string{"result"},
		Help: "Outcomes of writes: ok, conflict, error (failed reads included) or busy (refused, reads included).",
		values: func(s *Sample, put put) {
			if s.Store == nil {
				return
			}
			put(float64(s.Store.Writes), "ok")
			put(float64(s.Store.Conflicts), "conflict")
			put(float64(s.Store.Errors), "error")
			put(float64(s.Store.Busy), "busy")
		},
	},
	stored("deepstream_storage_commits_total", typeCounter, "Commits; one holds all writes that had come meanwhile.", func(st *store.Stats) float64 { return float64(st.Commits) }),
	stored("deepstream_storage_tombstones_collected_total", typeCounter, "Tombstones of deleted records that were removed.", func(st *store.Stats) float64 { return float64(st.Swept) }),
	stored("deepstream_storage_queue_bytes", typeGauge, "Writes that wait for the disk.", func(st *store.Stats) float64 { return float64(st.QueueBytes) }),
	stored("deepstream_storage_queue_reads", typeGauge, "Reads that wait for the disk.", func(st *store.Stats) float64 { return float64(st.QueueReads) }),
	latency("deepstream_storage_ack_duration_seconds", "Time from handing over a write to its acknowledgement.", func(st *store.Stats) *store.Latency { return &st.AckTimes }),
	latency("deepstream_storage_commit_duration_seconds", "Time of one commit.", func(st *store.Stats) *store.Latency { return &st.CommitTimes }),
	latency("deepstream_storage_sync_duration_seconds", "Time of one fsync.", func(st *store.Stats) *store.Latency { return &st.SyncTimes }),
	latency("deepstream_storage_load_duration_seconds", "Time from a question to the storage to its answer.", func(st *store.Stats) *store.Latency { return &st.LoadTimes }),

	// The server itself.
	gauge("deepstream_loops", "Event loops.", func(s *Sample) int { return s.Loops }),
	gauge("deepstream_loops_silent", "Event loops that did not answer this scrape; their numbers are those of the last one.", func(s *Sample) int { return len(s.Silent) }),
	{
		Name: "deepstream_loop_turn_duration_seconds", Type: typeHistogram,
		Help: "Time of one pass of a loop over its mail, timers and output.", histogram: turns,
	},
	counter("deepstream_loop_slow_turns_total", "Turns of more than 20 ms.", func(s *Sample) uint64 { return s.Engine.LongTurns }),
	gauge("deepstream_timers", "Timers pending on the loops, as of the last turn of each.", func(s *Sample) int { return s.Engine.Timers }),
	counter("deepstream_panics_total", "Messages, requests or logins that made a handler panic; their connection was closed, or they were refused.", func(s *Sample) uint64 {
		return s.Engine.Panics + s.Web.Panics + s.Auth.Hashing.Panics + s.Auth.Webhooks.Panics
	}),
	gauge("deepstream_cluster_nodes", "Nodes of the cluster, this one included.", func(s *Sample) int { return s.Nodes }),
}

func counter(name, help string, value func(*Sample) uint64) Family {
	return Family{Name: name, Type: typeCounter, Help: help, values: func(s *Sample, put put) { put(float64(value(s))) }}
}

func gauge(name, help string, value func(*Sample) int) Family {
	return Family{Name: name, Type: typeGauge, Help: help, values: func(s *Sample, put put) { put(float64(value(s))) }}
}

// byKind is a counter by topic and action. What never happened has no value.
func byKind(name, help string, table func(*Sample) *[protocol.Kinds]uint64) Family {
	return Family{Name: name, Type: typeCounter, Labels: []string{"topic", "action"}, Help: help, values: func(s *Sample, put put) {
		unnamed := map[protocol.Topic]uint64{} // numbers without a name share one value per topic
		for k, n := range table(s) {
			if n == 0 {
				continue
			}
			kind := protocol.Kind(k)
			if topic, action := kind.Names(); action == protocol.Undefined {
				unnamed[kind.Topic()] += n
			} else {
				put(float64(n), topic, action)
			}
		}
		for t, n := range unnamed {
			put(float64(n), t.String(), protocol.Undefined)
		}
	}}
}

// Topics that have a size.
var (
	allTopics = []int{TopicEvent, TopicRecord, TopicRPC, TopicPresence}
	listening = []int{TopicEvent, TopicRecord}
)

// byTopic is a gauge of those of some topics that are served.
func byTopic(name, help string, topics []int, value func(*Topic) int) Family {
	return Family{Name: name, Type: typeGauge, Labels: []string{"topic"}, Help: help, values: func(s *Sample, put put) {
		for _, i := range topics {
			if t := &s.Topics[i]; t.Served {
				put(float64(value(t)), topicLabels[i])
			}
		}
	}}
}

// stored is a metric of the storage, if there is one.
func stored(name, typ, help string, value func(*store.Stats) float64) Family {
	return Family{Name: name, Type: typ, Help: help, values: func(s *Sample, put put) {
		if s.Store != nil {
			put(value(s.Store))
		}
	}}
}

// latency is a histogram of the storage, if there is one.
func latency(name, help string, of func(*store.Stats) *store.Latency) Family {
	return Family{Name: name, Type: typeHistogram, Help: help, histogram: func(s *Sample) (distribution, bool) {
		if s.Store == nil {
			return distribution{}, false
		}
		l := of(s.Store)
		d := distribution{count: l.Count, sum: l.Sum.Seconds(), buckets: map[float64]uint64{}}
		for i, n := range l.Below {
			d.buckets[store.LatencyBound(i).Seconds()] = n
		}
		return d, true
	}}
}

// distribution is what a histogram consists of; its buckets are cumulative, by upper bound.
type distribution struct {
	count   uint64
	sum     float64
	buckets map[float64]uint64
}

// add adds a bucket of n values up to bound to those below.
func (d *distribution) add(bound float64, n uint64) {
	if d.count += n; !math.IsInf(bound, 1) {
		d.buckets[bound] = d.count
	}
}

// requests returns how many HTTP requests have been answered, whoever did.
func requests(s *Sample) uint64 {
	sum := s.Engine.Requests
	for _, n := range s.Web.Answers {
		sum += n
	}
	return sum
}

// publications is the distribution of Sample.FanoutSizes. Its sum is exact: all deliveries.
func publications(s *Sample) (distribution, bool) {
	d := distribution{buckets: map[float64]uint64{}}
	for i, n := range s.FanoutSizes {
		bound := math.Pow(4, float64(i))
		if i == FanoutBuckets-1 {
			bound = math.Inf(1)
		}
		d.add(bound, n)
	}
	for _, n := range s.Delivered {
		d.sum += float64(n)
	}
	return d, true
}

// turns is the distribution of the loops' turns.
func turns(s *Sample) (distribution, bool) {
	d := distribution{sum: s.Engine.TurnTime.Seconds(), buckets: map[float64]uint64{}}
	for i, n := range s.Engine.Turns {
		bound := math.Inf(1)
		if i < len(engine.TurnBounds) {
			bound = engine.TurnBounds[i].Seconds()
		}
		d.add(bound, n)
	}
	return d, true
}
