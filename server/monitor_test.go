package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"deepstream-fast/config"
	"deepstream-fast/fuzz/peer"
	"deepstream-fast/monitor"
	"deepstream-fast/protocol"
	"deepstream-fast/session"
	"deepstream-fast/store"
)

// watched returns a configuration of a server on ports of its own that is watched in every way.
func watched(t testing.TB) *config.Config {
	t.Helper()
	cfg, err := config.Load(writeConf(t, `
[httpServer.options]
host = "127.0.0.1"
port = 0
loops = 2
[monitoringServer]
port = 0
[[monitoring]]
type = "http"
options = { url = "/stats", headerKey = "X-Key", headerValue = "s3cret" }
[[monitoring]]
type = "log"
options = { logInterval = "1ms" }
`), func(string) (string, bool) { return "", false })
	if err != nil {
		t.Fatal(err)
	}
	cfg.RPC.AckTimeout, cfg.RPC.ResponseTimeout = config.Duration(peer.Patience), config.Duration(peer.Patience) // calls stay open
	return cfg
}

// start runs a server that is stopped at the end of the test, unless the test has done so.
func start(t testing.TB, cfg *config.Config, log *slog.Logger) *Server {
	t.Helper()
	s, err := Start(cfg, log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		select {
		case <-s.Done():
			return
		default:
		}
		ctx, cancel := context.WithTimeout(context.Background(), peer.Patience)
		defer cancel()
		if err := s.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
	return s
}

// ask returns what the listener says at path.
func ask(t testing.TB, s *Server, path string) (status int, body string) {
	t.Helper()
	resp, err := http.Get(fmt.Sprintf("http://%s%s", s.monitoring.listener.Addr(), path))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

// join logs a client in.
func join(t testing.TB, s *Server, user string) *peer.Client {
	t.Helper()
	c, err := peer.Dial(s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Abort)
	tell(t, c, "CONNECTION CHALLENGE", fmt.Sprintf("AUTH REQUEST data=`{\"username\":%q}`", user))
	return c
}

// tell sends messages and returns when they were handled, with what came back.
func tell(t testing.TB, c *peer.Client, texts ...string) []string {
	t.Helper()
	if err := c.Send(texts...); err != nil {
		t.Fatal(err)
	}
	lines, err := c.Fence()
	if err != nil {
		t.Fatal(err)
	}
	return lines
}

// eventually polls until ok says so.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline, tick := time.Now().Add(peer.Patience), time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !ok() {
		if <-tick.C; time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
	}
}

// A server whose every name is a secret: the numbers are right, and the names nowhere to be found.
func TestWatchedServer(t *testing.T) {
	var logged lockedText
	s := start(t, watched(t), slog.New(slog.NewTextHandler(&logged, nil)))
	const secret = "sEcReT"
	a, b := join(t, s, secret+"-user"), join(t, s, secret+"-other")
	tell(t, a, "EVENT SUBSCRIBE names=["+secret+"/e "+secret+"/f] correlationId=1", "EVENT LISTEN name=^"+secret+" correlationId=2",
		"RPC PROVIDE names=["+secret+"] correlationId=3", "RECORD SUBSCRIBECREATEANDREAD names=["+secret+"/r] correlationId=4")
	tell(t, b, "EVENT EMIT name="+secret+"/e data=1", "EVENT EMIT name="+secret+"/f data=1", "EVENT EMIT name=nobody data=1",
		"EVENT EMIT name=x data=`"+secret+"`")
	calls := 0
	eventually(t, "a call is open", func() bool { // the home of the name may hear of the provider later than we do
		calls++
		tell(t, b, fmt.Sprintf("RPC REQUEST name=%s correlationId=%d data=1", secret, calls))
		_, text := ask(t, s, "/metrics")
		return !strings.Contains(text, "deepstream_rpc_calls_open 0\n")
	})
	eventually(t, "the deliveries are counted", func() bool {
		_, text := ask(t, s, "/metrics")
		return strings.Contains(text, `deepstream_deliveries_total{action="EMIT",topic="EVENT"} 2`+"\n") &&
			strings.Contains(text, `deepstream_listen_patterns{topic="EVENT"} 1`+"\n")
	})
	_, text := ask(t, s, "/metrics")
	for _, line := range []string{
		`deepstream_messages_received_total{action="EMIT",topic="EVENT"} 4`,
		`deepstream_messages_received_total{action="SUBSCRIBE",topic="EVENT"} 1`,
		`deepstream_messages_sent_total{action="AUTH_SUCCESSFUL",topic="AUTH"} 2`,
		`deepstream_messages_sent_total{action="INVALID_MESSAGE_DATA",topic="EVENT"} 1`,
		`deepstream_messages_sent_total{action="SUBSCRIPTION_FOR_PATTERN_FOUND",topic="EVENT"} 2`,
		`deepstream_subscriptions{topic="EVENT"} 2`, `deepstream_subscribed_names{topic="RECORD"} 1`,
		`deepstream_logins_total{endpoint="websocket",result="allowed"} 2`,
		`deepstream_connections 2`, `deepstream_sessions 2`, `deepstream_online_users 2`,
		`deepstream_loops 2`, `deepstream_loops_silent 0`, `deepstream_storage_writable 1`, `deepstream_panics_total 0`,
	} {
		if !strings.Contains(text, line+"\n") {
			t.Errorf("%s is missing", line)
		}
	}
	report := askReport(t, s)
	if got := report["received"]["EVENT"]; fmt.Sprint(got) != "map[EMIT:4 LISTEN:1 SUBSCRIBE:1]" {
		t.Errorf("received %v", got)
	}
	if got := report["stateMetrics"]; got["EVENT_SUBSCRIPTIONS"] != 2.0 || got["LOCK"] != 2.0 || got["RPC_SUBSCRIPTIONS"] != 1.0 {
		t.Errorf("states %v", got)
	}
	eventually(t, "a report in the log", func() bool { return strings.Contains(logged.String(), "Monitoring stats for ") })
	for what, text := range map[string]string{"metrics": text, "log": logged.String(), "report": fmt.Sprint(report)} {
		if what != "log" && strings.Contains(text, secret) { // the log names users: that is what it is for
			t.Errorf("a name is in the %s", what)
		}
		if strings.Contains(text, "s3cret") {
			t.Errorf("a credential is in the %s", what)
		}
	}
}

// askReport returns the members of a report that are objects.
func askReport(t *testing.T, s *Server) map[string]map[string]any {
	t.Helper()
	h := s.MonitorHandlers()["/stats"]
	if h == nil {
		t.Fatal("no handler")
	}
	r := httptest.NewRequest(http.MethodGet, "/stats", nil)
	r.Header.Set("X-Key", "s3cret")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	var members map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &members); err != nil || w.Code != 200 {
		t.Fatalf("%d %s: %v", w.Code, w.Body, err)
	}
	objects := map[string]map[string]any{}
	for name, member := range members {
		if object, ok := member.(map[string]any); ok {
			objects[name] = object
		}
	}
	return objects
}

// Probes see a server come, hang, go on and go.
func TestHealthOfAServer(t *testing.T) {
	cfg := watched(t)
	m, err := openMonitoring(cfg, monitor.CountEvents(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if live, ready := m.notLive(), m.notReady(); live != "" || ready != "starting" {
		t.Errorf("before the start: live %q, ready %q", live, ready)
	}
	if sample := m.sample(); sample.Nodes != 1 || sample.Loops != 0 {
		t.Errorf("before the start: %+v", sample)
	}
	m.close()
	s := start(t, cfg, silent)
	for _, path := range []string{"/livez", "/readyz"} {
		if status, body := ask(t, s, path); status != 200 {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
	hold, held := make(chan struct{}), make(chan struct{})
	s.engine.Post(1, session.Inspect(func(int, session.Holdings) { close(held); <-hold }))
	<-held
	eventually(t, "the loop that hangs is named", func() bool {
		status, body := ask(t, s, "/livez") // may share an answer that is a moment old
		return status == 503 && body == "loops that do not answer: [1] of 2\n"
	})
	close(hold)
	eventually(t, "the loop is alive again", func() bool { status, _ := ask(t, s, "/livez"); return status == 200 })

	c := join(t, s, "u") // does not answer the good-bye, so that the server waits for it
	stopped := make(chan error)
	go func() { stopped <- s.Stop(context.Background()) }() // ends when c has gone
	eventually(t, "draining is told", func() bool {
		status, body := ask(t, s, "/readyz")
		return status == 503 && body == "draining\n"
	})
	if status, _ := ask(t, s, "/livez"); status != 200 {
		t.Errorf("draining: livez says %d", status)
	}
	wantMetrics(t, s, "deepstream_draining 1")
	c.Abort()
	if err := <-stopped; err != nil {
		t.Error(err)
	}
	if _, err := http.Get(fmt.Sprintf("http://%s/livez", s.monitoring.listener.Addr())); err == nil {
		t.Error("the listener is still there")
	}
}

func TestObstacles(t *testing.T) {
	degraded := &store.Stats{Degraded: errors.New("write /secret/path: no space left")}
	for want, got := range map[string]string{
		"":                                      obstacles(false, &store.Stats{}),
		"draining":                              obstacles(true, &store.Stats{}),
		"the storage takes no writes":           obstacles(false, degraded),
		"draining, the storage takes no writes": obstacles(true, degraded),
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// Two servers on one machine start with the defaults; a port that was asked for has to be there.
func TestTakenMonitoringPort(t *testing.T) {
	def := config.Default().MonitoringServer
	if taken, err := net.Listen("tcp", net.JoinHostPort(def.Host, fmt.Sprint(def.Port))); err == nil {
		defer taken.Close() // else somebody else has it, which is as good
	}
	yes, no := true, false
	for _, c := range []struct {
		name  string
		conf  config.MonitorServer
		fails bool
		warns int
	}{
		{"default", def, false, 1},
		{"enabled", config.MonitorServer{Enabled: &yes, Host: def.Host, Port: def.Port}, true, 0},
		{"another address", config.MonitorServer{Host: "192.0.2.1", Port: def.Port}, true, 0},
		{"switched off", config.MonitorServer{Enabled: &no, Host: def.Host, Port: def.Port}, false, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			events := monitor.CountEvents(slog.DiscardHandler)
			m := &monitoring{events: events, log: slog.New(events)}
			err := m.listen(&c.conf)
			if (err != nil) != c.fails || m.listener != nil || len(events.Events()) != c.warns {
				t.Errorf("%v, listener %v, warnings %v", err, m.listener, events.Events())
			}
			if err != nil && !strings.Contains(err.Error(), "monitoringServer") {
				t.Errorf("%v does not name the key", err)
			}
		})
	}
}

// Under load every scrape is consistent with itself, and the last one exact.
func TestScrapesUnderLoad(t *testing.T) {
	s := start(t, watched(t), silent)
	const clients, rounds = 4, 50
	var all sync.WaitGroup
	for i := range clients {
		c := join(t, s, fmt.Sprint("u", i))
		all.Go(func() {
			tell(t, c, "EVENT SUBSCRIBE names=[shared] correlationId=1")
			for n := range rounds {
				tell(t, c, "EVENT EMIT name=alone data=1", fmt.Sprintf("EVENT SUBSCRIBE names=[n%d] correlationId=2", n))
			}
		})
	}
	done := make(chan struct{})
	go func() { all.Wait(); close(done) }() // ends with the clients
	for running := true; running; {
		select {
		case <-done:
			running = false
		default:
		}
		if status, text := ask(t, s, "/metrics"); status != 200 || !strings.Contains(text, "deepstream_loops_silent 0\n") {
			t.Fatalf("%d %.300s", status, text)
		}
	}
	_, text := ask(t, s, "/metrics")
	for _, line := range []string{
		fmt.Sprintf(`deepstream_messages_received_total{action="EMIT",topic="EVENT"} %d`, clients*rounds),
		fmt.Sprintf(`deepstream_messages_received_total{action="SUBSCRIBE",topic="EVENT"} %d`, clients*(rounds+1)),
		fmt.Sprintf(`deepstream_subscriptions{topic="EVENT"} %d`, clients*(rounds+1)),
		fmt.Sprintf(`deepstream_subscribed_names{topic="EVENT"} %d`, rounds+1),
	} {
		if !strings.Contains(text, line+"\n") {
			t.Errorf("%s is missing", line)
		}
	}
}

// BenchmarkScrape is one scrape over HTTP. What there is to count does not matter.
func BenchmarkScrape(b *testing.B) {
	for _, subs := range []int{0, 1_000_000} {
		b.Run(fmt.Sprintf("subs=%d", subs), func(b *testing.B) {
			s := start(b, watched(b), silent)
			c := join(b, s, "u")
			if subs > 0 {
				names := make([][]byte, subs)
				for i := range names {
					names[i] = fmt.Appendf(nil, "item/%07d", i)
				}
				c.Write(peer.AppendMessage(nil, &protocol.Message{
					Topic: protocol.TopicEvent, Action: protocol.EventSubscribe, CorrelationID: []byte("1"), Names: protocol.ListNames(names),
				}))
				tell(b, c)
			}
			if _, text := ask(b, s, "/metrics"); !strings.Contains(text, fmt.Sprintf("deepstream_subscriptions{topic=\"EVENT\"} %v\n", float64(subs))) {
				b.Fatal("the subscriptions are not there")
			}
			b.ReportAllocs()
			for b.Loop() {
				ask(b, s, "/metrics")
			}
		})
	}
}
