package monitor

import (
	"errors"
	"io"
	"log/slog"
	"net/http"
	"testing"
	"time"

	"deepstream-fast/auth"
	"deepstream-fast/codec/ws"
	"deepstream-fast/engine"
	"deepstream-fast/lazyjson"
	"deepstream-fast/permission/valve"
	"deepstream-fast/protocol"
	"deepstream-fast/store"
)

var silent = slog.New(slog.DiscardHandler)

// fullSample has a different number everywhere, so that none is taken for another.
func fullSample() *Sample {
	s := &Sample{
		LoginTimeouts: 3, CallsRefused: 4, Overruns: 5, Sessions: 6, Users: 7, Calls: 8, Nodes: 1,
		Loops: 2, Silent: []int{1}, Records: Records{10, 11, 12, 13, 14, 15, 16, 17, 18},
		Parses: make([]uint64, len(lazyjson.Reasons())),
		Engine: engine.Stats{
			Opened: 30, Closed: 10, Upgrades: 29, Requests: 21, BytesIn: 22, BytesOut: 23, MessagesIn: 24, Writes: 25, Blocked: 26,
			BlockedEver: 27, DroppedFrames: 28, DroppedBytes: 31, DroppedMail: 32, Refused: 33, Unable: 34, OwedBytes: 35,
			Panics: 36, LongTurns: 37, TurnTime: 38 * time.Second,
		},
		Store: &store.Stats{
			QueueBytes: 41, QueueReads: 42, Writes: 43, Conflicts: 44, Errors: 45, Busy: 46, Commits: 47, Swept: 48,
			Degraded:  errors.New("disk full"),
			SyncTimes: store.Latency{Below: [store.LatencyBounds]uint64{1, 2, 2, 2, 2, 2, 2, 2, 2, 3}, Count: 4, Sum: 5 * time.Second},
		},
	}
	s.Auth = auth.Stats{
		Successes: 110, Failures: 111, Pending: 112, Types: []auth.TypeStats{{Type: "file", Valid: 113, Refused: 114, Unknown: 115}},
		Hashing:  auth.PoolStats{Workers: 116, Running: 117, Queued: 118, Finished: 119, Rejected: 120, Displaced: 121, Abandoned: 122, Panics: 1000},
		Webhooks: auth.PoolStats{Workers: 126, Running: 127, Queued: 128, Finished: 129, Rejected: 130, Displaced: 131, Abandoned: 132, Panics: 2000},
	}
	s.Permissions = &valve.Stats{Rules: 140, Denied: 141, Failed: 142, Inquiries: 143, Loads: 144, LoadErrors: 145, Changes: 146, LogSuppressed: 147}
	s.Gate, s.Limits = Gate{150, 151, 152, 153, 154}, Limits{155, 156, 157, 158}
	s.Web = Web{
		Connections: engine.HTTPStats{Connections: 160, HandedOff: 161, Refused: 162, Flaws: [ws.Flaws]uint64{ws.FlawHost: 163, ws.FlawVersion: 164}},
		Answers:     [6]uint64{2: 165, 4: 166}, Refused: []Count{{"busy", 167}, {"origin", 168}},
		Commands: 169, Timeouts: 170, Panics: 4000, InFlight: 171, Memory: 172,
	}
	s.Engine.Handshakes, s.Engine.Resumed, s.Engine.HandshakesFailed, s.Engine.HandshakesShed = 200, 50, 180, 181
	s.Engine.HandshakeTimeouts, s.Engine.WrongProtocol, s.Engine.ProxyRefused = 182, 183, 184
	s.CertificateExpires, s.Draining, s.LinesDropped = time.Unix(1800000000, 0), true, 190
	s.Reloads, s.ReloadsRefused, s.Expired = 191, 192, 193
	for i := range s.Topics {
		s.Topics[i] = Topic{true, 50 + i, 60 + i, 70 + i, 80 + i}
	}
	s.Logins = [Endpoints]Logins{{90, 91}, {92, 93}}
	s.Received[protocol.KindOf(protocol.TopicEvent, protocol.EventEmit)] = 100
	s.Refused[protocol.KindOf(protocol.TopicEvent, protocol.EventEmit)] = 1
	s.Received[protocol.KindOf(protocol.TopicRPC, protocol.RPCRequest)] = 8
	s.Received[protocol.KindOf(protocol.TopicRPC, 3)] = 1 // numbers that mean nothing
	s.Received[protocol.KindOf(protocol.TopicRPC, 99)] = 2
	s.Sent[protocol.KindOf(protocol.TopicEvent, protocol.EventMessageDenied)] = 1
	s.Delivered[protocol.KindOf(protocol.TopicEvent, protocol.EventEmit)] = 990
	s.Denied[protocol.KindOf(protocol.TopicEvent, protocol.EventEmit)] = 1
	s.FanoutSizes = [FanoutBuckets]uint64{0: 1, 3: 2, FanoutBuckets - 1: 4}
	s.Engine.Ended[engine.EndedSlow] = 10
	s.Engine.Turns[1] = 5
	return s
}

// counterOf returns a counter with one warning.
func counterOf(events ...string) *EventCounter {
	c := CountEvents(slog.DiscardHandler)
	for _, e := range events {
		slog.New(c).Warn("something", eventKey, e)
	}
	return c
}

func always(s *Sample) Source { return func() *Sample { return s } }

// get returns the status and the body at a URL.
func get(t *testing.T, url string, header ...string) (int, string) {
	t.Helper()
	r, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		if r.Header.Set(header[i], header[i+1]); header[i] == "Host" {
			r.Host = header[i+1]
		}
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}
