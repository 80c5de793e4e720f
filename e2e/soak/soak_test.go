package soak

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"deepstream-fast/fuzz/peer"
)

var duration = flag.Duration("soak.duration", 4*time.Second, "how long clients come and go, both kinds of connections together")

const (
	visitors = 8   // clients at a time
	sharing  = 50  // names that visitors share
	samples  = 40  // of memory, over a run
	growthMB = 16. // that memory may grow between the second and the last quarter of a run
)

// Memory stays flat and nothing is left while clients come and go.
func TestSoak(t *testing.T) {
	program := build(t)
	for _, kind := range []struct {
		name   string
		secure bool
	}{{"tcp", false}, {"tls", true}} {
		t.Run(kind.name, func(t *testing.T) { soak(t, start(t, program, kind.secure), *duration/2) })
	}
}

func soak(t *testing.T, s *server, d time.Duration) {
	before, err := s.scrape()
	if err != nil {
		t.Fatal(err)
	}
	stop := make(chan struct{})
	var guests sync.WaitGroup
	for i := range visitors {
		guests.Go(func() { // ends when stop is closed
			for n := 0; !closed(stop); n++ {
				if err := s.visit(i, n); err != nil {
					t.Errorf("visitor %d: %v", i, err)
					return
				}
			}
		})
	}
	requests := 0
	guests.Go(func() { requests = s.callAPI(t, stop) }) // the same
	memory, err := s.watch(d)
	close(stop)
	guests.Wait()
	if err != nil {
		t.Fatal(err)
	}
	s.mustBeEmpty(t, before)
	after, err := s.scrape()
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%.0f logins, %.0f names denied, %d HTTP requests; memory %.0f MB, %.0f MB at the end",
		after["deepstream_logins_total"], after["deepstream_names_denied_total"], requests, memory[0], memory[len(memory)-1])
	if n := after["deepstream_panics_total"]; n != 0 {
		t.Errorf("%v panics", n)
	}
	if after["deepstream_logins_total"] == 0 || after["deepstream_names_denied_total"] == 0 || requests == 0 {
		t.Error("the soak did not do what it should")
	}
	if grown := growth(memory); grown > growthMB && !instrumented {
		t.Errorf("memory grew by %.1f MB between the second and the last quarter, at most %.0f is reasonable: %.0f", grown, growthMB, memory)
	}
}

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// watch returns the resident memory in MB, at equal distances over d.
func (s *server) watch(d time.Duration) (memory []float64, err error) {
	tick := time.NewTicker(d / samples)
	defer tick.Stop()
	for range samples {
		<-tick.C
		now, err := s.scrape()
		if err != nil {
			return memory, err
		}
		memory = append(memory, now["process_resident_memory_bytes"]/1e6)
	}
	return memory, nil
}

// growth returns how much more there is in the last quarter than in the second, by their medians.
func growth(memory []float64) float64 {
	quarter := len(memory) / 4
	return median(memory[3*quarter:]) - median(memory[quarter:2*quarter])
}

func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	return v[len(v)/2]
}

// visit is one client's stay: it uses every topic and leaves, with a good-bye or without.
func (s *server) visit(visitor, n int) error {
	conn, err := s.dial()
	if err != nil {
		return err
	}
	c, err := peer.Over(conn)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	own := fmt.Sprintf("soak/own/%d/%d", visitor, n%sharing)
	shared := fmt.Sprintf("soak/shared/%d", n%sharing)
	err = c.Send(
		"CONNECTION CHALLENGE url=ws://soak",
		fmt.Sprintf("AUTH REQUEST data=`{\"username\":\"guest%d\"}`", visitor),
		fmt.Sprintf("EVENT SUBSCRIBE correlationId=1 names=[%s %s soak/everybody]", own, shared),
		"EVENT SUBSCRIBE correlationId=2 names=[soak/denied]",
		fmt.Sprintf("EVENT LISTEN correlationId=3 name=`soak/%d/.*`", visitor),
		fmt.Sprintf("RPC PROVIDE correlationId=4 names=[soak/rpc/%d]", visitor),
		fmt.Sprintf("RPC REQUEST correlationId=call%d-%d name=soak/rpc/%d data=1", visitor, n, (visitor+1)%visitors),
		fmt.Sprintf("RECORD SUBSCRIBECREATEANDREAD correlationId=5 names=[%s]", shared),
		fmt.Sprintf("RECORD UPDATE correlationId=6 name=%s version=-1 data=`{\"n\":%d}`", shared, n),
		"RECORD READ correlationId=7 name=secret/x",
		"PRESENCE SUBSCRIBE_ALL correlationId=8",
		fmt.Sprintf("EVENT EMIT name=%s data=%d", own, n),
		fmt.Sprintf("EVENT EMIT name=soak/everybody data=%d", n),
		"PRESENCE QUERY_ALL correlationId=9",
	)
	if err != nil {
		return err
	}
	// A ping would overtake what waits for permission; the answer to the last request does not.
	lines, err := c.Await("PRESENCE QUERY_ALL")
	if err != nil {
		return err
	}
	if denied := strings.Count(strings.Join(lines, "\n"), "MESSAGE_DENIED"); denied < 2 {
		return fmt.Errorf("%d names denied, want the event and the record:\n%s", denied, strings.Join(lines, "\n"))
	}
	if n%2 == 0 {
		_, err = c.Close()
		return err
	}
	c.Abort()
	return nil
}

// callAPI uses the HTTP API until stop is closed, and returns how often.
func (s *server) callAPI(t *testing.T, stop <-chan struct{}) (n int) {
	web, url := s.web()
	defer web.CloseIdleConnections()
	for ; !closed(stop); n++ {
		body := fmt.Sprintf(`{"body":[{"topic":"record","action":"write","recordName":"soak/shared/%d","data":{"n":%d}},`+
			`{"topic":"event","action":"emit","eventName":"soak/everybody","data":%d},`+
			`{"topic":"record","action":"read","recordName":"soak/shared/%d"}]}`, n%sharing, n, n, n%sharing)
		answer, err := web.Post(url, "application/json", strings.NewReader(body))
		if err != nil {
			t.Errorf("HTTP: %v", err)
			return n
		}
		text, err := io.ReadAll(answer.Body)
		_ = answer.Body.Close()
		if err != nil || answer.StatusCode != http.StatusOK || !bytes.Contains(text, []byte(`SUCCESS`)) {
			t.Errorf("HTTP: %s %s, %v", answer.Status, text, err)
			return n
		}
		if n%50 == 0 {
			web.CloseIdleConnections()
		}
	}
	return n
}

// The judges themselves notice what they look for.
func TestJudgesNoticeWhatTheyLookFor(t *testing.T) {
	flat, rising := make([]float64, samples), make([]float64, samples)
	for i := range samples {
		flat[i], rising[i] = 50+float64(i%3), 50+float64(i)
	}
	if g := growth(flat); g > 2 || g < -2 {
		t.Errorf("flat memory grows by %v", g)
	}
	if g := growth(rising); g < 15 {
		t.Errorf("memory that rises by 40 grows by %v", g)
	}
	idle := values{"go_goroutines": 20, "process_open_fds": 30, "deepstream_timers": 1}
	for _, name := range empties {
		idle[name] = 0
	}
	if left := leftovers(idle, idle); left != "" {
		t.Errorf("left over:%s", left)
	}
	for name := range idle {
		leaky := values{}
		for k, v := range idle {
			leaky[k] = v
		}
		leaky[name] += 9
		if left := leftovers(idle, leaky); !strings.Contains(left, name+"=") {
			t.Errorf("a leak of %s is not noticed", name)
		}
	}
}
