package bench

import (
	"fmt"
	"testing"
	"time"

	"deepstream-fast/auth/password"
	"deepstream-fast/bench/load"
)

const (
	floodRate  = 10_000 // bad logins offered per second
	floodConns = 2_000  // more than can wait, so that the others are refused at once
)

// loginConfig is a server with one user, whose logins cost what the scheme costs.
func loginConfig(b *testing.B, scheme password.Scheme) string {
	b.Helper()
	stored, err := scheme.New("secret")
	if err != nil {
		b.Fatal(err)
	}
	options := fmt.Sprintf("users = { user = { password = %q } }", stored)
	if scheme.Digest != "" {
		options += fmt.Sprintf(", hash = %q, iterations = %d, keyLength = %d", scheme.Digest, scheme.Iterations, scheme.KeyLength)
	}
	return configOf(Fast) + fmt.Sprintf(`
[[connectionEndpoints]]
type = "ws-binary"
options = { maxAuthAttempts = 1000000 }
[[auth]]
type = "file"
options = { %s }
`, options)
}

// BenchmarkLoginFlood is what clients that are logged in notice of 10,000 bad logins a second: the 99th
// percentile of the latency of events with the flood, and its ratio to the one without. Server and
// driver have a CPU each, so that hashing and the loop share one: more CPUs make it better.
func BenchmarkLoginFlood(b *testing.B) {
	rig, err := NewRig(true, Fast)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(rig.Close)
	for _, bb := range []struct {
		name   string
		scheme password.Scheme
	}{
		{"argon2id", password.Scheme{}},
		{"sha512-210000", password.Scheme{Digest: "sha512", Iterations: password.IterationsAdvised, KeyLength: 32}},
	} {
		b.Run("hash="+bb.name, func(b *testing.B) {
			server := Server("fast-login-" + bb.name)
			if err := rig.AddConfigured(server, loginConfig(b, bb.scheme), `{"username":"user","password":"secret"}`); err != nil {
				b.Fatal(err)
			}
			measureFlood(b, rig, server)
		})
	}
}

func measureFlood(b *testing.B, rig *Rig, server Server) {
	bout, err := rig.Begin(Case{Server: server, Subscribers: 50, Mode: Rate})
	if err != nil {
		b.Fatal(err)
	}
	defer bout.End()
	quiet, err := bout.Measure(max(b.N, 100), 0)
	if err != nil {
		b.Fatal(err)
	}
	flood, err := load.DialFlood(bout.process.Addr, 1000, floodConns, 10*time.Second, `{"username":"user","password":"wrong"}`)
	if err != nil {
		b.Fatal(err)
	}
	defer flood.Close()
	type outcome struct {
		load.FloodResult
		err error
	}
	stop, ended := make(chan struct{}), make(chan outcome, 1)
	go func() { // ends when stop is closed
		r, err := flood.Run(floodRate, stop)
		ended <- outcome{r, err}
	}()
	b.ResetTimer()
	loud, err := bout.Measure(max(b.N, 100), 0)
	b.StopTimer()
	close(stop)
	r := <-ended
	if err != nil || r.err != nil {
		b.Fatal(err, r.err)
	}
	b.ReportMetric(float64(r.Offered)/r.Elapsed.Seconds(), "logins/s")
	b.ReportMetric(float64(quiet.P99.Nanoseconds())/1e3, "quiet-p99-us")
	b.ReportMetric(float64(loud.P99.Nanoseconds())/1e3, "flood-p99-us")
	b.ReportMetric(float64(loud.P50.Nanoseconds())/1e3, "flood-p50-us")
	b.ReportMetric(float64(loud.P99)/float64(quiet.P99), "p99-ratio")
}
