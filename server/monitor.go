package server

import (
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"deepstream-fast/config"
	"deepstream-fast/lazyjson"
	"deepstream-fast/monitor"
	"deepstream-fast/session"
	"deepstream-fast/store"
)

// monitoring is all that watches a server. The listener is there before the server can do anything, so
// that whoever asks is told that it is starting, and until its last client has gone.
type monitoring struct {
	// Set by openMonitoring, then constant.
	events   *monitor.EventCounter
	log      *slog.Logger
	listener *monitor.Listener // nil: not served
	web      []*monitor.HTTP   // type http

	// Safe from any goroutine.
	server atomic.Pointer[Server] // nil until it runs

	logs []*monitor.Log // type log; owned by Start and Stop
}

// loopPatience is how long a loop may take to answer. It is far above the longest turn there should be.
const loopPatience = time.Second

// openMonitoring opens the listener and makes the monitors that the configuration asks for.
func openMonitoring(cfg *config.Config, events *monitor.EventCounter) (*monitoring, error) {
	m := &monitoring{events: events, log: slog.New(events)}
	if err := m.listen(&cfg.MonitoringServer); err != nil {
		return nil, err
	}
	for _, c := range cfg.Monitoring {
		if c.Type == "http" {
			o := monitor.HTTPOptions{
				URL: c.HTTP.URL, HeaderKey: c.HTTP.HeaderKey, HeaderValue: c.HTTP.HeaderValue, Open: c.HTTP.AllowOpenPermissions,
			}
			m.web = append(m.web, monitor.NewHTTP(o, monitor.NewReporter(m.sample, m.events), m.log))
		}
	}
	return m, nil
}

// listen opens the listener. One that nobody has asked for must not keep a second server on this machine
// from starting.
func (m *monitoring) listen(o *config.MonitorServer) error {
	wanted, must := o.Wanted()
	if !wanted {
		return nil
	}
	l, err := monitor.Listen(monitor.ListenerOptions{
		Host: o.Host, Port: o.Port, Pprof: o.Pprof,
		Metrics: monitor.NewRegistry(m.sample, m.events), Live: m.notLive, Ready: m.notReady, Log: m.log,
	})
	switch {
	case err == nil:
		m.listener = l
		m.log.Info(fmt.Sprintf("metrics and health checks on http://%s", l.Addr()), "event", "INFO")
		return nil
	case must:
		return fmt.Errorf("server: monitoringServer: %w", err)
	}
	m.log.Warn("no metrics and health checks: "+err.Error()+"; set monitoringServer.port, or monitoringServer.enabled = false", "event", "PLUGIN_INITIALIZATION_ERROR")
	return nil
}

// begin connects the monitors with a server that runs.
func (m *monitoring) begin(s *Server) {
	m.server.Store(s)
	for _, c := range s.cfg.Monitoring {
		if c.Type == "log" {
			o := monitor.LogOptions{Interval: c.Log.LogInterval.Std(), Key: c.Log.MonitoringKey}
			m.logs = append(m.logs, monitor.StartLog(o, monitor.NewReporter(m.sample, m.events), m.log))
		}
	}
}

// close ends everything. Call it once the loops have nothing left to count.
func (m *monitoring) close() {
	for _, l := range m.logs {
		l.Close()
	}
	if m.listener != nil {
		m.listener.Close()
	}
}

// MonitorHandlers returns the monitors of type http by the path that each is to be served at.
func (s *Server) MonitorHandlers() map[string]http.Handler {
	all := map[string]http.Handler{}
	for _, h := range s.monitoring.web {
		all[h.URL()] = h
	}
	return all
}

// notLive returns why the process should be restarted: a loop that does not turn serves nobody.
func (m *monitoring) notLive() string {
	s := m.server.Load()
	if s == nil {
		return "" // a storage may take its time to open
	}
	select {
	case <-s.engine.Done():
		return "the engine has ended"
	default:
	}
	if silent := s.node.Tally(loopPatience).Silent; len(silent) > 0 {
		return fmt.Sprintf("loops that do not answer: %v of %d", silent, s.engine.Loops())
	}
	return ""
}

// notReady returns why no client should come now.
func (m *monitoring) notReady() string {
	s := m.server.Load()
	if s == nil {
		return "starting"
	}
	var stored store.Stats
	if s.store != nil {
		stored = s.store.store.Stats()
	}
	return obstacles(!s.front.ready.Load(), &stored)
}

// obstacles names what keeps clients away. The cause of a storage's failure is for the log: it holds
// paths.
func obstacles(draining bool, stored *store.Stats) string {
	var why []string
	if draining {
		why = append(why, "draining")
	}
	if stored.Degraded != nil {
		why = append(why, "the storage takes no writes")
	}
	return strings.Join(why, ", ")
}

// sample makes the Sample of this moment.
func (m *monitoring) sample() *monitor.Sample {
	s := m.server.Load()
	if s == nil {
		return &monitor.Sample{Nodes: 1}
	}
	t, n := s.node.Tally(loopPatience), s.node.Stats()
	sample := &monitor.Sample{
		Messages: monitor.Messages{
			Received: t.Received, Refused: t.Refused, Sent: t.Sent, Delivered: t.Delivered, Denied: t.Denied, Failed: t.Failed,
		},
		FanoutSizes: t.Fanouts,
		Topics:      topicsOf(s.cfg, t),
		Records: monitor.Records{
			Pending: t.Pending, Cached: t.CacheRecords, CachedBytes: t.CacheBytes,
			CacheHits: t.CacheHits, CacheMisses: t.CacheMisses, CacheEvicts: t.CacheEvictions,
			Refused: t.RecordsRefused, Timeouts: t.RecordTimeouts, Lost: t.RecordsLost,
		},
		LoginTimeouts: n.AuthTimeouts, CallsRefused: t.CallsRefused, Overruns: n.Overruns,
		Sessions: n.Online, Users: t.Users, Calls: t.Calls, Nodes: 1,
		Loops: s.engine.Loops(), Silent: t.Silent, Engine: s.engine.Stats(),
	}
	sample.Logins[monitor.EndpointWebSocket] = monitor.Logins{Allowed: n.Logins, Declined: n.LoginFailures}
	s.sampleDoors(sample, &n, t)
	s.sampleWeb(sample)
	for _, r := range lazyjson.Reasons() {
		sample.Parses = append(sample.Parses, s.node.Parses(r))
	}
	if s.store != nil {
		stats := s.store.store.Stats()
		sample.Store = &stats
	}
	return sample
}

// topicsOf returns what there is of each topic, in the order of monitor.Sample.Topics.
func topicsOf(cfg *config.Config, t *session.Tally) (topics [monitor.Topics]monitor.Topic) {
	f := &cfg.EnabledFeatures
	for i, served := range [monitor.Topics]bool{f.Event, f.Record, f.RPC, f.Presence} {
		topics[i] = monitor.Topic{Served: served, Subscriptions: t.Subscriptions[i], Names: t.Names[i]}
	}
	for i, topic := range []int{monitor.TopicEvent, monitor.TopicRecord} {
		topics[topic].Patterns, topics[topic].Provided = t.Patterns[i], t.Provided[i]
	}
	return topics
}
