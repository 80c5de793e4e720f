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
		"deepstream_connections": "deepstream_connections 180",
		"deepstream_tls_handshakes_total": `
			deepstream_tls_handshakes_total{result="failed"} 180
			deepstream_tls_handshakes_total{result="full"} 150
			deepstream_tls_handshakes_total{result="resumed"} 50
			deepstream_tls_handshakes_total{result="shed"} 181
			deepstream_tls_handshakes_total{result="timeout"} 182`,
		"deepstream_tls_certificate_expiry_timestamp_seconds": "deepstream_tls_certificate_expiry_timestamp_seconds 1.8e+09",
		"deepstream_wrong_protocol_total":                     "deepstream_wrong_protocol_total 183",
		"deepstream_proxy_headers_refused_total":              "deepstream_proxy_headers_refused_total 184",
		"deepstream_http_connections":                         "deepstream_http_connections 160",
		"deepstream_http_connections_handed_over_total":       "deepstream_http_connections_handed_over_total 161",
		"deepstream_http_connections_refused_total":           "deepstream_http_connections_refused_total 162",
		"deepstream_http_answers_total": `
			deepstream_http_answers_total{class="2xx"} 165
			deepstream_http_answers_total{class="3xx"} 0
			deepstream_http_answers_total{class="4xx"} 166
			deepstream_http_answers_total{class="5xx"} 0`,
		"deepstream_http_requests_refused_total": `
			deepstream_http_requests_refused_total{reason="busy"} 167
			deepstream_http_requests_refused_total{reason="origin"} 168`,
		"deepstream_http_flaws_total": `
			deepstream_http_flaws_total{flaw="chunk"} 0
			deepstream_http_flaws_total{flaw="coding"} 0
			deepstream_http_flaws_total{flaw="field_name"} 0
			deepstream_http_flaws_total{flaw="folded"} 0
			deepstream_http_flaws_total{flaw="host"} 163
			deepstream_http_flaws_total{flaw="length"} 0
			deepstream_http_flaws_total{flaw="line_end"} 0
			deepstream_http_flaws_total{flaw="size"} 0
			deepstream_http_flaws_total{flaw="syntax"} 0
			deepstream_http_flaws_total{flaw="two_lengths"} 0
			deepstream_http_flaws_total{flaw="version"} 164`,
		"deepstream_http_requests_total":         "deepstream_http_requests_total 352",
		"deepstream_http_requests_in_flight":     "deepstream_http_requests_in_flight 171",
		"deepstream_http_memory_bytes":           "deepstream_http_memory_bytes 172",
		"deepstream_http_commands_total":         "deepstream_http_commands_total 169",
		"deepstream_http_command_timeouts_total": "deepstream_http_command_timeouts_total 170",
		"deepstream_auth_judgements_total": `
			deepstream_auth_judgements_total{result="refused",type="file"} 114
			deepstream_auth_judgements_total{result="unknown",type="file"} 115
			deepstream_auth_judgements_total{result="valid",type="file"} 113`,
		"deepstream_auth_pending": "deepstream_auth_pending 112",
		"deepstream_auth_queue": `
			deepstream_auth_queue{pool="hashing"} 118
			deepstream_auth_queue{pool="webhooks"} 128`,
		"deepstream_auth_workers_busy": `
			deepstream_auth_workers_busy{pool="hashing"} 117
			deepstream_auth_workers_busy{pool="webhooks"} 127`,
		"deepstream_auth_workers": `
			deepstream_auth_workers{pool="hashing"} 116
			deepstream_auth_workers{pool="webhooks"} 126`,
		"deepstream_auth_worked_total": `
			deepstream_auth_worked_total{pool="hashing"} 119
			deepstream_auth_worked_total{pool="webhooks"} 129`,
		"deepstream_auth_dropped_total": `
			deepstream_auth_dropped_total{pool="hashing",reason="abandoned"} 122
			deepstream_auth_dropped_total{pool="hashing",reason="displaced"} 121
			deepstream_auth_dropped_total{pool="hashing",reason="rejected"} 120
			deepstream_auth_dropped_total{pool="webhooks",reason="abandoned"} 132
			deepstream_auth_dropped_total{pool="webhooks",reason="displaced"} 131
			deepstream_auth_dropped_total{pool="webhooks",reason="rejected"} 130`,
		"deepstream_sessions_expired_total": "deepstream_sessions_expired_total 193",
		"deepstream_permission_rules":       "deepstream_permission_rules 140",
		"deepstream_permission_refusals_total": `
			deepstream_permission_refusals_total{reason="denied"} 141
			deepstream_permission_refusals_total{reason="failed"} 142`,
		"deepstream_permission_inquiries_total":      "deepstream_permission_inquiries_total 143",
		"deepstream_permission_loads_total":          "deepstream_permission_loads_total 144",
		"deepstream_permission_load_errors_total":    "deepstream_permission_load_errors_total 145",
		"deepstream_permission_changes_total":        "deepstream_permission_changes_total 146",
		"deepstream_permission_log_suppressed_total": "deepstream_permission_log_suppressed_total 147",
		"deepstream_permission_waiting_messages":     "deepstream_permission_waiting_messages 150",
		"deepstream_permission_waiting_bytes":        "deepstream_permission_waiting_bytes 151",
		"deepstream_permission_waiting_decisions":    "deepstream_permission_waiting_decisions 152",
		"deepstream_permission_overflows_total":      "deepstream_permission_overflows_total 153",
		"deepstream_subscriptions_revoked_total":     "deepstream_subscriptions_revoked_total 154",
		"deepstream_client_limits_total": `
			deepstream_client_limits_total{limit="calls"} 156
			deepstream_client_limits_total{limit="messages"} 157
			deepstream_client_limits_total{limit="rate"} 158
			deepstream_client_limits_total{limit="subscriptions"} 155`,
		"deepstream_draining": "deepstream_draining 1",
		"deepstream_reloads_total": `
			deepstream_reloads_total{result="done"} 191
			deepstream_reloads_total{result="refused"} 192`,
		"deepstream_log_lines_dropped_total": "deepstream_log_lines_dropped_total 190",
		"deepstream_panics_total":            "deepstream_panics_total 7036",
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

// Where there is no storage, no TLS and no rules, there is nothing to say about them.
func TestMetricsOfWhatIsNotThere(t *testing.T) {
	gathered, err := NewRegistry(always(&Sample{Nodes: 1}), counterOf()).Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range gathered {
		for _, absent := range []string{
			"deepstream_storage", "deepstream_tls_certificate", "deepstream_permission_rules", "deepstream_permission_loads", "deepstream_permission_refusals",
		} {
			if strings.HasPrefix(g.GetName(), absent) {
				t.Errorf("%s is there", g.GetName())
			}
		}
	}
}
