package monitor

import (
	"encoding/json"
	"testing"
	"time"

	"deepstream-fast/protocol"
)

func reporterAt(s Source, events *EventCounter, ms ...int64) *Reporter {
	r := NewReporter(s, events)
	r.from = time.UnixMilli(ms[0])
	r.now = func() time.Time {
		if len(ms) > 1 {
			ms = ms[1:]
		}
		return time.UnixMilli(ms[0])
	}
	return r
}

func wantReport(t *testing.T, r *Reporter, want string) {
	t.Helper()
	got, err := json.Marshal(r.Report())
	if err != nil || string(got) != want {
		t.Errorf("got  %s, %v\nwant %s", got, err, want)
	}
}

// The bytes of a report are those of the official server, the order of members included, but for the two
// registries that appear under their own names as well.
func TestReportIsOfficial(t *testing.T) {
	wantReport(t, reporterAt(always(fullSample()), counterOf("INVALID_MESSAGE", "INVALID_MESSAGE"), 1700000000000, 1700000060000),
		`{"from":1700000000000,"to":1700000060000,"clusterSize":1,`+
			`"stateMetrics":{"STATE_REGISTRY":60,"EVENT_LISTEN_PATTERNS":70,"EVENT_PUBLISHED_SUBSCRIPTIONS":80,"RPC_SUBSCRIPTIONS":62,`+
			`"RECORD_SUBSCRIPTIONS":61,"RECORD_LISTEN_PATTERNS":71,"RECORD_PUBLISHED_SUBSCRIPTIONS":81,"PRESENCE_SUBSCRIPTIONS":63,"LOCK":7,`+
			`"EVENT_SUBSCRIPTIONS":60,"ONLINE_USERS":7},`+
			`"errors":{"INVALID_MESSAGE":2},`+
			`"received":{"EVENT":{"EMIT":99},"RPC":{"REQUEST":8,"undefined":3}},`+
			`"send":{"EVENT":{"EMIT":990,"MESSAGE_DENIED":1}},`+
			`"logins":{"http":{"allowed":92,"declined":93},"websocket":{"allowed":90,"declined":91}}}`)
}

func TestReportOfNothing(t *testing.T) {
	want := `{"from":1,"to":2,"clusterSize":1,"stateMetrics":{},"errors":{},"received":{},"send":{},"logins":{}}`
	wantReport(t, reporterAt(always(&Sample{Nodes: 1}), counterOf(), 1, 2), want)
}

// Each monitor has its own period: what one has reported the other still has to.
func TestReportsAreDifferences(t *testing.T) {
	s := &Sample{Nodes: 1}
	events := counterOf()
	emit := protocol.KindOf(protocol.TopicEvent, protocol.EventEmit)
	often, rarely := reporterAt(func() *Sample { c := *s; return &c }, events, 1, 2, 3, 4), reporterAt(func() *Sample { c := *s; return &c }, events, 1, 9)
	s.Received[emit], s.Delivered[emit], s.Logins[EndpointWebSocket].Allowed = 2, 5, 1
	events.counts.add(4, "A")
	wantReport(t, often, `{"from":1,"to":2,"clusterSize":1,"stateMetrics":{},"errors":{"A":1},"received":{"EVENT":{"EMIT":2}},"send":{"EVENT":{"EMIT":5}},"logins":{"websocket":{"allowed":1,"declined":0}}}`)
	wantReport(t, often, `{"from":2,"to":3,"clusterSize":1,"stateMetrics":{},"errors":{},"received":{},"send":{},"logins":{}}`)
	s.Received[emit], s.Refused[emit] = 3, 2 // a refusal of the last period among them
	events.counts.add(4, "A")
	events.counts.add(8, "A")
	wantReport(t, often, `{"from":3,"to":4,"clusterSize":1,"stateMetrics":{},"errors":{"A":2},"received":{},"send":{},"logins":{}}`)
	wantReport(t, rarely, `{"from":1,"to":9,"clusterSize":1,"stateMetrics":{},"errors":{"A":3},"received":{"EVENT":{"EMIT":1}},"send":{"EVENT":{"EMIT":5}},"logins":{"websocket":{"allowed":1,"declined":0}}}`)
}

// A topic that is switched off has no registries.
func TestReportLeavesOutTopicsThatAreOff(t *testing.T) {
	s := &Sample{Nodes: 1}
	s.Topics[TopicRPC] = Topic{Served: true, Names: 4}
	wantReport(t, reporterAt(always(s), counterOf(), 1, 2), `{"from":1,"to":2,"clusterSize":1,"stateMetrics":{"RPC_SUBSCRIPTIONS":4},"errors":{},"received":{},"send":{},"logins":{}}`)
}
