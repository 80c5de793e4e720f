package monitor

import (
	"time"

	"deepstream-fast/auth"
	"deepstream-fast/engine"
	"deepstream-fast/lazyjson"
	"deepstream-fast/permission/valve"
	"deepstream-fast/protocol"
	"deepstream-fast/store"
)

// Source makes a Sample. It returns after a second at the latest, then with what it has. Safe for
// concurrent use.
type Source func() *Sample

// Sample is the state of a server at one moment. Messages and all that is called a number of times
// only grow. A Sample is not changed once made.
type Sample struct {
	Messages
	FanoutSizes [FanoutBuckets]uint64 // publications by the number of their recipients on one loop

	Topics  [Topics]Topic
	Logins  [Endpoints]Logins
	Parses  []uint64 // looks into JSON, by lazyjson.Reason
	Records Records

	Auth        auth.Stats
	Permissions *valve.Stats // nil: everything is allowed
	Gate        Gate
	Limits      Limits
	Web         Web

	LoginTimeouts uint64 // connections that did not log in
	Expired       uint64 // sessions that ended with their credentials
	CallsRefused  uint64 // over a limit
	Overruns      uint64 // record messages left out, their receivers disconnected

	Sessions int // connections that are logged in
	Users    int // online, each once
	Calls    int // open
	Nodes    int // of the cluster, this one included

	Loops  int
	Silent []int // loops that did not answer
	Engine engine.Stats
	Store  *store.Stats // nil: nothing is stored

	CertificateExpires      time.Time // zero: no TLS
	Draining                bool      // the server is being stopped
	LinesDropped            uint64    // of the log
	Reloads, ReloadsRefused uint64
}

// Messages are counts by topic and action.
type Messages struct {
	Received  [protocol.Kinds]uint64 // from logged-in clients, handed to their topic
	Refused   [protocol.Kinds]uint64 // of these, those of which permissions let nothing pass
	Sent      [protocol.Kinds]uint64 // to a single connection
	Delivered [protocol.Kinds]uint64 // to all subscribers of a name, counted per subscriber
	Denied    [protocol.Kinds]uint64 // names answered with MESSAGE_DENIED, by the request
	Failed    [protocol.Kinds]uint64 // names answered with MESSAGE_PERMISSION_ERROR, by the request
}

// FanoutBuckets is the number of places of FanoutSizes: up to 4^i recipients, and more in the last one.
const FanoutBuckets = 12

// Places of Sample.Topics.
const (
	TopicEvent = iota
	TopicRecord
	TopicRPC
	TopicPresence
	Topics
)

// topicLabels are the values of the label topic where sizes are told by topic.
var topicLabels = [Topics]string{"EVENT", "RECORD", "RPC", "PRESENCE"}

// Topic is what there is of one topic.
type Topic struct {
	Served        bool
	Subscriptions int // of connections to names; of RPC, provisions
	Names         int // with a subscriber
	Patterns      int // listened to, each text once
	Provided      int // names with an active listener
}

// Endpoint is a way to log in.
type Endpoint uint8

// The endpoints the official server tells apart. MQTT counts as a WebSocket.
const (
	EndpointWebSocket Endpoint = iota
	EndpointHTTP
	Endpoints
)

var endpointLabels = [Endpoints]string{"websocket", "http"}

// Logins are decisions about credentials.
type Logins struct{ Allowed, Declined uint64 }

// Records is the RECORD topic's own.
type Records struct {
	Pending                             int // requests, loads and saves that are not done
	Cached                              int // records in the cache
	CachedBytes                         int64
	CacheHits, CacheMisses, CacheEvicts uint64
	Refused                             uint64 // requests over a limit
	Timeouts                            uint64 // loads and saves given up
	Lost                                uint64 // failed saves that nobody tries again
}

// Gate is what waits for permission.
type Gate struct {
	Messages  int
	Bytes     int    // of these, and of what is held behind them
	Decisions int    // that wait for records
	Overflows uint64 // decisions that failed for want of room
	Revoked   uint64 // subscriptions, provisions and patterns taken back after the rules had changed
}

// Limits are refusals for a limit per connection.
type Limits struct {
	Subscriptions, Calls uint64 // names and calls denied
	Messages             uint64 // denied: they came too fast
	Closed               uint64 // connections, for going on like that
}

// Web is what is spoken beside WebSockets: plain HTTP.
type Web struct {
	Connections engine.HTTPStats
	Answers     [6]uint64 // by the first digit of their status
	Refused     []Count   // requests not carried out, by reason
	Commands    uint64    // carried out
	Timeouts    uint64    // commands without an answer in time
	Panics      uint64
	InFlight    int   // requests being served
	Memory      int64 // bytes of bodies, commands and answers
}

// Count is how often there was something that a label names, out of a fixed set.
type Count struct {
	Label string
	N     uint64
}

// parseLabels are the values of the label reason of looks into JSON.
func parseLabels() []string {
	labels := make([]string, 0, len(lazyjson.Reasons()))
	for _, r := range lazyjson.Reasons() {
		labels = append(labels, r.String())
	}
	return labels
}
