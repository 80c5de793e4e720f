package monitor

import (
	"bytes"
	"encoding/json"
	"sync"
	"time"

	"deepstream-fast/protocol"
)

// Reporter makes the reports of one monitor: what has happened since its last one. Safe for concurrent
// use.
type Reporter struct {
	// Set by NewReporter, then constant.
	source Source
	events *EventCounter
	now    func() time.Time

	mu       sync.Mutex // guards the fields below, and is held while a sample is made
	from     time.Time
	messages Messages
	logins   [Endpoints]Logins
	errors   map[string]uint64
}

// NewReporter returns a Reporter whose first report begins now: with zero, which the counters are at the
// start of a server.
func NewReporter(source Source, events *EventCounter) *Reporter {
	return &Reporter{source: source, events: events, now: time.Now, from: time.Now()}
}

// Stats are the members of a report that both types of monitor have. Their names and their order are
// those of the official server.
type Stats struct {
	ClusterSize  int                   `json:"clusterSize"`
	StateMetrics States                `json:"stateMetrics"`
	Errors       map[string]uint64     `json:"errors"`
	Received     counts                `json:"received"`
	Send         counts                `json:"send"`
	Logins       map[string]loginCount `json:"logins"`
}

// Report is what a monitor has to say about a period, in milliseconds since 1970.
type Report struct {
	From int64 `json:"from"`
	To   int64 `json:"to"`
	Stats
}

// counts is topic → action → how often.
type counts map[string]map[string]uint64

type loginCount struct {
	Allowed  uint64 `json:"allowed"`
	Declined uint64 `json:"declined"`
}

// State is the number of different names in one registry.
type State struct {
	Label string
	Names int
}

// States is a JSON object whose members keep their order.
type States []State

// MarshalJSON implements json.Marshaler.
func (s States) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	for i, state := range s {
		b.WriteByte("{,"[min(i, 1)])
		label, err := json.Marshal(state.Label)
		if err != nil {
			return nil, err
		}
		number, err := json.Marshal(state.Names)
		if err != nil {
			return nil, err
		}
		b.Write(label)
		b.WriteByte(':')
		b.Write(number)
	}
	if len(s) == 0 {
		b.WriteByte('{')
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// Report returns what has happened since the last call.
func (r *Reporter) Report() Report {
	r.mu.Lock()
	defer r.mu.Unlock()
	s, to := r.source(), r.now()
	report := Report{From: r.from.UnixMilli(), To: to.UnixMilli(), Stats: Stats{
		ClusterSize:  s.Nodes,
		StateMetrics: states(s),
		Errors:       r.newErrors(),
		Received:     counts{},
		Send:         counts{},
		Logins:       r.newLogins(s),
	}}
	last := &r.messages
	for k := range s.Received {
		received, refused := s.Received[k]-last.Received[k], s.Refused[k]-last.Refused[k]
		if received > refused { // a refusal that came late is of an earlier period
			report.Received.add(protocol.Kind(k), received-refused)
		}
		report.Send.add(protocol.Kind(k), s.Sent[k]-last.Sent[k]+s.Delivered[k]-last.Delivered[k])
	}
	r.from, r.messages, r.logins = to, s.Messages, s.Logins
	return report
}

// add counts n messages. What is 0 does not appear.
func (c counts) add(k protocol.Kind, n uint64) {
	if n == 0 {
		return
	}
	topic, action := k.Names()
	if c[topic] == nil {
		c[topic] = map[string]uint64{}
	}
	c[topic][action] += n
}

// newErrors returns the warnings and errors since the last report, by event.
func (r *Reporter) newErrors() map[string]uint64 {
	now, since := map[string]uint64{}, map[string]uint64{}
	for _, e := range r.events.Events() {
		now[e.Name] += e.Count
	}
	for name, n := range now {
		if n > r.errors[name] {
			since[name] = n - r.errors[name]
		}
	}
	r.errors = now
	return since
}

func (r *Reporter) newLogins(s *Sample) map[string]loginCount {
	since := map[string]loginCount{}
	for e, l := range s.Logins {
		n := loginCount{l.Allowed - r.logins[e].Allowed, l.Declined - r.logins[e].Declined}
		if n != (loginCount{}) {
			since[endpointLabels[e]] = n
		}
	}
	return since
}

// states returns the registries in the order in which the official server makes them, under its labels:
// two of them are those of something else, so they appear once more under their own. Source:
// spec/monitoring.md §2.
func states(s *Sample) States {
	event, record := s.Topics[TopicEvent], s.Topics[TopicRecord]
	rpc, presence := s.Topics[TopicRPC], s.Topics[TopicPresence]
	var all States
	add := func(served bool, label string, names int) {
		if served {
			all = append(all, State{label, names})
		}
	}
	add(event.Served, "STATE_REGISTRY", event.Names)
	add(event.Served, "EVENT_LISTEN_PATTERNS", event.Patterns)
	add(event.Served, "EVENT_PUBLISHED_SUBSCRIPTIONS", event.Provided)
	add(rpc.Served, "RPC_SUBSCRIPTIONS", rpc.Names)
	add(record.Served, "RECORD_SUBSCRIPTIONS", record.Names)
	add(record.Served, "RECORD_LISTEN_PATTERNS", record.Patterns)
	add(record.Served, "RECORD_PUBLISHED_SUBSCRIPTIONS", record.Provided)
	add(presence.Served, "PRESENCE_SUBSCRIPTIONS", presence.Names)
	add(presence.Served, "LOCK", s.Users)
	add(event.Served, "EVENT_SUBSCRIPTIONS", event.Names)
	add(presence.Served, "ONLINE_USERS", s.Users)
	return all
}
