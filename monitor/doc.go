// Package monitor tells operators how the server is: metrics for Prometheus, health checks and profiles
// on a listener of its own, and the two reports of the official server, on request and in the log.
//
// Numbers come as a Sample from a Source that the composition root provides; what they are and what
// they are called stands in one table, see Families. A Sample is made per request: nothing here is on
// the way of a message.
//
// # Invariants
//   - No metric, label or report holds the name of a record, event, call, pattern or user. Labels have
//     values from fixed sets; only those of log events are collected, up to a limit.
//   - Counters in Samples only grow, so that every monitor has its own differences and several do not
//     take each other's.
//   - Whatever a client of the listener does, it holds a bounded number of connections and requests, for
//     a bounded time.
//   - A secret is compared in constant time and never logged.
//
// Cost: a scrape asks every loop once and encodes some hundred numbers, however many subscriptions there
// are: see BenchmarkScrape in package server. Source: spec/monitoring.md. Stability: the names of metrics
// and the JSON are stable; the Go API is internal and may change.
package monitor
