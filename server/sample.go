package server

import (
	"sync/atomic"

	"deepstream-fast/httpapi"
	"deepstream-fast/monitor"
	"deepstream-fast/session"
)

// reloads counts what was asked to be put into effect while the server runs.
type reloads struct{ done, refused atomic.Uint64 }

// WatchLog has the lines that l loses counted among the metrics. Whoever opened l calls it: the server
// knows its logger only, which does not tell. Safe for concurrent use.
func (s *Server) WatchLog(l *Log) { s.lines.Store(l) }

// sampleDoors adds what decides who may come in and what he may do, and how it goes on.
func (s *Server) sampleDoors(sample *monitor.Sample, n *session.Stats, t *session.Tally) {
	sample.Auth, sample.Permissions = s.auth.stats(), s.rules.stats()
	sample.Expired = n.Expired
	sample.Gate = monitor.Gate{
		Messages: t.Waiting, Bytes: t.WaitingBytes, Decisions: t.Deciding, Overflows: t.GateOverflows, Revoked: n.Revoked,
	}
	sample.Limits = monitor.Limits{
		Subscriptions: n.SubscriptionsLimited, Calls: n.CallsLimited, Messages: n.MessagesLimited, Closed: n.RateClosed,
	}
	sample.CertificateExpires = s.CertificateExpires()
	sample.Draining = !s.front.ready.Load()
	sample.Reloads, sample.ReloadsRefused = s.reloads.done.Load(), s.reloads.refused.Load()
	if l := s.lines.Load(); l != nil {
		sample.LinesDropped = l.Dropped()
	}
}

// sampleWeb adds what is spoken beside WebSockets.
func (s *Server) sampleWeb(sample *monitor.Sample) {
	api, connections := s.HTTPStats()
	sample.Web = monitor.Web{
		Connections: connections, Answers: api.Classes, Commands: api.Commands, Timeouts: api.Timeouts, Panics: api.Panics,
		InFlight: api.InFlight, Memory: api.Memory,
	}
	for why := range httpapi.Refusals {
		sample.Web.Refused = append(sample.Web.Refused, monitor.Count{Label: why.String(), N: api.Refused[why]})
	}
	sample.Logins[monitor.EndpointHTTP] = monitor.Logins{Allowed: api.Logins, Declined: api.Declined}
}
