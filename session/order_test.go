package session

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// Whoever was told of an effect finds it done on every other loop: a call that is made when the provider
// has its acknowledgement reaches it, though the news may still be in the mail of the caller's loop.
func TestAnAcknowledgedProviderIsFound(t *testing.T) {
	o := defaults(3)
	o.session.Calls.AckTimeout = time.Minute
	r := startRig(t, o)
	for _, name := range []string{"a", "b", "c"} { // one on each loop
		r.login(name)
		r.arrived(name)
	}
	for i := range 300 {
		r.send("a", fmt.Sprintf("RPC PROVIDE names=[call/%d] correlationId=%d", i, i))
		r.arrived("a")
		for _, caller := range []string{"b", "c"} {
			r.send(caller, fmt.Sprintf("RPC REQUEST name=call/%d correlationId=%d", i, i))
		}
		for _, caller := range []string{"b", "c"} {
			if lines := r.arrived(caller); strings.Contains(strings.Join(lines, "\n"), "NO_RPC_PROVIDER") {
				t.Fatalf("call %d: %s got %q", i, caller, lines)
			}
		}
	}
}
