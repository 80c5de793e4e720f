package monitor

import (
	"net/http"
	"net/http/pprof"
	"runtime"
	"strconv"
	"sync/atomic"
)

// contentionSecondsMax is how long contention is recorded for one request.
const contentionSecondsMax = 120

// contention serves the profiles of mutexes and of blocking. Both cost time as long as they are recorded, so
// that happens while a request with the parameter seconds waits for them, and for one request at a time.
type contention struct{ recording atomic.Bool }

func (c *contention) serve(profile string) http.HandlerFunc {
	handler := pprof.Handler(profile)
	return func(w http.ResponseWriter, r *http.Request) {
		seconds, err := strconv.Atoi(r.FormValue("seconds"))
		switch {
		case err != nil || seconds < 1 || seconds > contentionSecondsMax:
			http.Error(w, "give the parameter seconds, 1 to 120: contention is recorded on request only", http.StatusBadRequest)
			return
		case !c.recording.CompareAndSwap(false, true):
			http.Error(w, "contention is being recorded for somebody else", http.StatusServiceUnavailable)
			return
		}
		defer c.recording.Store(false)
		before := runtime.SetMutexProfileFraction(1)
		defer runtime.SetMutexProfileFraction(before)
		runtime.SetBlockProfileRate(1)
		defer runtime.SetBlockProfileRate(0)
		handler.ServeHTTP(w, r)
	}
}
