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

// A connection does not hear of its own login, however late the directory of users hears of it.
func TestNobodyHearsOfHisOwnLogin(t *testing.T) {
	r := startRig(t, defaults(3))
	for i := range 100 {
		name := fmt.Sprint("user", i)
		r.connect(name)
		r.send(name, "CONNECTION CHALLENGE url=ws://test")
		r.arrived(name)
		r.send(name, fmt.Sprintf("AUTH REQUEST data=`{%q:%q}`", "username", name), "PRESENCE SUBSCRIBE_ALL", "PRESENCE SUBSCRIBE names=["+name+"]")
		r.settleMail()
		for _, line := range r.arrived(name) {
			if strings.Contains(line, "JOIN") && strings.Contains(line, name+`"`) {
				t.Fatal(line)
			}
		}
		r.close(name)
	}
}
