package soak

import (
	"bufio"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"
)

// values are metrics by name, those of all labels of a name added up.
type values map[string]float64

// scrape asks the server for its metrics.
func (s *server) scrape() (values, error) {
	answer, err := s.watcher.Get("http://" + s.metrics + "/metrics")
	if err != nil {
		return nil, err
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("/metrics answered %s", answer.Status)
	}
	all := values{}
	lines := bufio.NewScanner(answer.Body)
	for lines.Scan() {
		line := lines.Text()
		name, value, ok := strings.Cut(line, " ")
		if open := strings.IndexByte(line, '{'); open >= 0 && !strings.HasPrefix(line, "#") {
			name, value, ok = line[:open], line[strings.LastIndexByte(line, ' ')+1:], true
		}
		n, err := strconv.ParseFloat(value, 64)
		if strings.HasPrefix(line, "#") || !ok || err != nil {
			continue
		}
		all[name] += n
	}
	return all, lines.Err()
}

// empties are what only clients hold.
var empties = []string{
	"deepstream_connections", "deepstream_sessions", "deepstream_online_users", "deepstream_subscriptions",
	"deepstream_subscribed_names", "deepstream_listen_patterns", "deepstream_listen_provided_names",
	"deepstream_rpc_calls_open", "deepstream_connections_blocked", "deepstream_send_queue_bytes",
}

// spares is how much more of a thing there may be at the end than when nobody had been there: what the
// runtime keeps. Hundreds of clients have come and gone by then.
var spares = map[string]float64{"go_goroutines": 8, "process_open_fds": 8, "deepstream_timers": 8}

// mustBeEmpty fails unless everything that clients held goes away. start is from before they came.
func (s *server) mustBeEmpty(t *testing.T, start values) {
	t.Helper()
	var left string
	deadline := time.After(patience)
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for {
		now, err := s.scrape()
		if err != nil {
			t.Fatal(err)
		}
		if left = leftovers(start, now); left == "" {
			return
		}
		select {
		case <-deadline:
			t.Fatalf("%v after the last client:%s", patience, left)
		case <-again.C:
		}
	}
}

// leftovers names what is there that should not be.
func leftovers(start, now values) (left string) {
	for _, name := range empties {
		if v, ok := now[name]; !ok || v != 0 {
			left += fmt.Sprintf(" %s=%v", name, v)
		}
	}
	for name, spare := range spares {
		before, ok := start[name]
		if v, there := now[name]; !ok || !there || v > before+spare {
			left += fmt.Sprintf(" %s=%v, %v before", name, v, before)
		}
	}
	return left
}
