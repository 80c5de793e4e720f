package monitor

import (
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"
)

func TestMetricsAreWellFormed(t *testing.T) {
	problems, err := testutil.GatherAndLint(NewRegistry(always(fullSample()), counterOf("AUTH_ERROR")))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

// Every family has values in a full sample, of its own type and labels.
func TestEveryFamilyIsThere(t *testing.T) {
	gathered, err := NewRegistry(always(fullSample()), counterOf("AUTH_ERROR")).Gather()
	if err != nil {
		t.Fatal(err)
	}
	types := map[string]string{}
	for _, g := range gathered {
		types[g.GetName()] = strings.ToLower(g.GetType().String())
		for _, m := range g.Metric {
			for _, l := range m.Label {
				if l.GetValue() == "" || len(l.GetValue()) > eventBytesMax && !strings.Contains(g.GetName(), "info") {
					t.Errorf("%s has a label %v", g.GetName(), l)
				}
			}
		}
	}
	for _, f := range Families() {
		if types[f.Name] != f.Type && f.Name != "deepstream_names_failed_total" {
			t.Errorf("%s is a %q, want %q", f.Name, types[f.Name], f.Type)
		}
	}
	for _, name := range []string{logEventsName, buildInfoName, "go_goroutines", "go_gc_duration_seconds", "process_resident_memory_bytes"} {
		if types[name] == "" {
			t.Errorf("%s is missing", name)
		}
	}
}

func TestMetricValues(t *testing.T) {
	r := NewRegistry(always(fullSample()), counterOf("AUTH_ERROR"))
	for name, want := range map[string]string{
		"deepstream_messages_received_total": `
			deepstream_messages_received_total{action="EMIT",topic="EVENT"} 100
			deepstream_messages_received_total{action="REQUEST",topic="RPC"} 8
			deepstream_messages_received_total{action="undefined",topic="RPC"} 3`,
		"deepstream_deliveries_total":   `deepstream_deliveries_total{action="EMIT",topic="EVENT"} 990`,
		"deepstream_names_denied_total": `deepstream_names_denied_total{action="EMIT",topic="EVENT"} 1`,
		"deepstream_publication_recipients": `
			deepstream_publication_recipients_bucket{le="1"} 1
			deepstream_publication_recipients_bucket{le="4"} 1
			deepstream_publication_recipients_bucket{le="16"} 1
			deepstream_publication_recipients_bucket{le="64"} 3
			deepstream_publication_recipients_bucket{le="256"} 3
			deepstream_publication_recipients_bucket{le="1024"} 3
			deepstream_publication_recipients_bucket{le="4096"} 3
			deepstream_publication_recipients_bucket{le="16384"} 3
			deepstream_publication_recipients_bucket{le="65536"} 3
			deepstream_publication_recipients_bucket{le="262144"} 3
			deepstream_publication_recipients_bucket{le="1.048576e+06"} 3
			deepstream_publication_recipients_bucket{le="+Inf"} 7
			deepstream_publication_recipients_sum 990
			deepstream_publication_recipients_count 7`,
		"deepstream_connections": "deepstream_connections 20",
		"deepstream_logins_total": `
			deepstream_logins_total{endpoint="http",result="allowed"} 92
			deepstream_logins_total{endpoint="http",result="declined"} 93
			deepstream_logins_total{endpoint="websocket",result="allowed"} 90
			deepstream_logins_total{endpoint="websocket",result="declined"} 91`,
		"deepstream_drops_total": `
			deepstream_drops_total{reason="mailbox_full"} 32
			deepstream_drops_total{reason="record_overrun"} 5
			deepstream_drops_total{reason="slow_consumer"} 28`,
		"deepstream_subscriptions": `
			deepstream_subscriptions{topic="EVENT"} 50
			deepstream_subscriptions{topic="PRESENCE"} 53
			deepstream_subscriptions{topic="RECORD"} 51
			deepstream_subscriptions{topic="RPC"} 52`,
		"deepstream_listen_patterns": `
			deepstream_listen_patterns{topic="EVENT"} 70
			deepstream_listen_patterns{topic="RECORD"} 71`,
		"deepstream_storage_writable": "deepstream_storage_writable 0",
		"deepstream_loops_silent":     "deepstream_loops_silent 1",
		"deepstream_log_events_total": `deepstream_log_events_total{event="AUTH_ERROR",level="warn"} 1`,
		"deepstream_loop_turn_duration_seconds": `
			deepstream_loop_turn_duration_seconds_bucket{le="2e-05"} 0
			deepstream_loop_turn_duration_seconds_bucket{le="0.0001"} 5
			deepstream_loop_turn_duration_seconds_bucket{le="0.0005"} 5
			deepstream_loop_turn_duration_seconds_bucket{le="0.002"} 5
			deepstream_loop_turn_duration_seconds_bucket{le="0.01"} 5
			deepstream_loop_turn_duration_seconds_bucket{le="0.05"} 5
			deepstream_loop_turn_duration_seconds_bucket{le="0.2"} 5
			deepstream_loop_turn_duration_seconds_bucket{le="1"} 5
			deepstream_loop_turn_duration_seconds_bucket{le="+Inf"} 5
			deepstream_loop_turn_duration_seconds_sum 38
			deepstream_loop_turn_duration_seconds_count 5`,
	} {
		if err := testutil.GatherAndCompare(r, strings.NewReader(header(name)+strings.ReplaceAll(want, "\t", "")+"\n"), name); err != nil {
			t.Error(err)
		}
	}
}

// header returns the lines that stand above a metric.
func header(name string) string {
	for _, f := range Families() {
		if f.Name == name {
			return "# HELP " + name + " " + f.Help + "\n# TYPE " + name + " " + f.Type + "\n"
		}
	}
	return "# HELP " + name + " " + logEventsHelp + "\n# TYPE " + name + " counter\n"
}

// Without a storage there is nothing to say about one.
func TestMetricsWithoutStorage(t *testing.T) {
	gathered, err := NewRegistry(always(&Sample{Nodes: 1}), counterOf()).Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range gathered {
		if strings.HasPrefix(g.GetName(), "deepstream_storage") {
			t.Errorf("%s is there", g.GetName())
		}
	}
}
