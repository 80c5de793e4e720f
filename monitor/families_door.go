package monitor

import (
	"deepstream-fast/auth"
	"deepstream-fast/permission/valve"
)

// doorFamilies are about who may come in, and what he may do.
var doorFamilies = []Family{
	// Authentication.
	{
		Name: "deepstream_auth_judgements_total", Type: typeCounter, Labels: []string{"type", "result"},
		Help: "Judgements about credentials by type of authentication (none, file, http, storage, jwt), whatever they were for: valid, refused or unknown (the next type was asked).",
		values: func(s *Sample, put put) {
			for _, t := range s.Auth.Types {
				put(float64(t.Valid), t.Type, "valid")
				put(float64(t.Refused), t.Type, "refused")
				put(float64(t.Unknown), t.Type, "unknown")
			}
		},
	},
	gauge("deepstream_auth_pending", "Credentials that are being judged.", func(s *Sample) int { return s.Auth.Pending }),
	byPool("deepstream_auth_queue", typeGauge, "Credentials that wait for a worker, by pool: hashing (passwords and signatures) or webhooks.",
		func(p *auth.PoolStats) float64 { return float64(p.Queued) }),
	byPool("deepstream_auth_workers_busy", typeGauge, "Workers that judge.", func(p *auth.PoolStats) float64 { return float64(p.Running) }),
	byPool("deepstream_auth_workers", typeGauge, "Workers there are at most.", func(p *auth.PoolStats) float64 { return float64(p.Workers) }),
	byPool("deepstream_auth_worked_total", typeCounter, "Credentials that a worker has judged.", func(p *auth.PoolStats) float64 { return float64(p.Finished) }),
	{
		Name: "deepstream_auth_dropped_total", Type: typeCounter, Labels: []string{"pool", "reason"},
		Help: "Credentials that no worker has judged: rejected (the queue was full), displaced (others needed the room more) or abandoned (the connection had gone).",
		values: func(s *Sample, put put) {
			for _, pool := range pools(s) {
				put(float64(pool.stats.Rejected), pool.label, "rejected")
				put(float64(pool.stats.Displaced), pool.label, "displaced")
				put(float64(pool.stats.Abandoned), pool.label, "abandoned")
			}
		},
	},
	counter("deepstream_sessions_expired_total", "Sessions that ended with their credentials.", func(s *Sample) uint64 { return s.Expired }),

	// Permissions. Those of rules are missing without rules.
	ruled("deepstream_permission_rules", typeGauge, "Rules in force.", func(p *valve.Stats) float64 { return float64(p.Rules) }),
	{
		Name: "deepstream_permission_refusals_total", Type: typeCounter, Labels: []string{"reason"},
		Help: "Questions that rules answered with no: denied (by a rule, or because there was none) or failed (the rule could not be evaluated).",
		values: func(s *Sample, put put) {
			if s.Permissions != nil {
				put(float64(s.Permissions.Denied), "denied")
				put(float64(s.Permissions.Failed), "failed")
			}
		},
	},
	ruled("deepstream_permission_inquiries_total", typeCounter, "Decisions that needed records.", func(p *valve.Stats) float64 { return float64(p.Inquiries) }),
	ruled("deepstream_permission_loads_total", typeCounter, "Records that decisions asked for.", func(p *valve.Stats) float64 { return float64(p.Loads) }),
	ruled("deepstream_permission_load_errors_total", typeCounter, "Of these, those that could not be read.", func(p *valve.Stats) float64 { return float64(p.LoadErrors) }),
	ruled("deepstream_permission_changes_total", typeCounter, "How often other rules came into force.", func(p *valve.Stats) float64 { return float64(p.Changes) }),
	ruled("deepstream_permission_log_suppressed_total", typeCounter, "Messages of rules that were not logged because there were too many.",
		func(p *valve.Stats) float64 { return float64(p.LogSuppressed) }),
	gauge("deepstream_permission_waiting_messages", "Messages that wait for permission.", func(s *Sample) int { return s.Gate.Messages }),
	gauge("deepstream_permission_waiting_bytes", "Memory of these, and of what their connections have sent since.", func(s *Sample) int { return s.Gate.Bytes }),
	gauge("deepstream_permission_waiting_decisions", "Decisions that wait for records.", func(s *Sample) int { return s.Gate.Decisions }),
	counter("deepstream_permission_overflows_total", "Decisions that failed because too much waited.", func(s *Sample) uint64 { return s.Gate.Overflows }),
	counter("deepstream_subscriptions_revoked_total", "Subscriptions, provisions and patterns taken back because new rules do not allow them.",
		func(s *Sample) uint64 { return s.Gate.Revoked }),
	{
		Name: "deepstream_client_limits_total", Type: typeCounter, Labels: []string{"limit"},
		Help: "Refusals for a limit per connection: subscriptions or calls (it had all it may have), messages (too many; they were denied) or rate (far too many; it was closed).",
		values: func(s *Sample, put put) {
			put(float64(s.Limits.Subscriptions), "subscriptions")
			put(float64(s.Limits.Calls), "calls")
			put(float64(s.Limits.Messages), "messages")
			put(float64(s.Limits.Closed), "rate")
		},
	},
}

// operationFamilies are about the program itself.
var operationFamilies = []Family{
	gauge("deepstream_draining", "1 while the server is being stopped, else 0.", func(s *Sample) int {
		if s.Draining {
			return 1
		}
		return 0
	}),
	{
		Name: "deepstream_reloads_total", Type: typeCounter, Labels: []string{"result"},
		Help: "Reloads of the configuration: done, or refused (nothing has changed).",
		values: func(s *Sample, put put) {
			put(float64(s.Reloads), "done")
			put(float64(s.ReloadsRefused), "refused")
		},
	},
	counter("deepstream_log_lines_dropped_total", "Lines of the log that were lost because nobody read them fast enough.", func(s *Sample) uint64 { return s.LinesDropped }),
}

// pool is one of the two that judge credentials.
type pool struct {
	label string
	stats *auth.PoolStats
}

func pools(s *Sample) [2]pool {
	return [2]pool{{"hashing", &s.Auth.Hashing}, {"webhooks", &s.Auth.Webhooks}}
}

// byPool is a metric of the pools.
func byPool(name, typ, help string, value func(*auth.PoolStats) float64) Family {
	return Family{Name: name, Type: typ, Labels: []string{"pool"}, Help: help, values: func(s *Sample, put put) {
		for _, p := range pools(s) {
			put(value(p.stats), p.label)
		}
	}}
}

// ruled is a metric of the permission rules, if there are any.
func ruled(name, typ, help string, value func(*valve.Stats) float64) Family {
	return Family{Name: name, Type: typ, Help: help, values: func(s *Sample, put put) {
		if s.Permissions != nil {
			put(value(s.Permissions))
		}
	}}
}
