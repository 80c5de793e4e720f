package session

import (
	"slices"
	"testing"
)

// A LISTEN or UNLISTEN goes round all loops before it is answered. Answers must not overtake each
// other, and a repeated request must not be answered before the first has taken effect: G2 of
// spec/connection.md.
func TestListenAnswersKeepTheirOrder(t *testing.T) {
	r := startRig(t, defaults(8))
	r.login("p")
	r.fence()
	var want []string
	for range 100 {
		r.send("p", "EVENT LISTEN name=x", "EVENT LISTEN name=x", "EVENT UNLISTEN name=x", "EVENT UNLISTEN name=x", "EVENT LISTEN name=x", "EVENT UNLISTEN name=x")
		for _, action := range []string{"LISTEN", "LISTEN", "UNLISTEN", "UNLISTEN", "LISTEN", "UNLISTEN"} {
			want = append(want, "p <- EVENT "+action+` isAck name="x"`)
		}
	}
	if got := r.fence(); !slices.Equal(got, want) {
		t.Fatalf("%d answers out of order", len(got))
	}
}

// What is subscribed when a pattern comes is offered before the pattern is acknowledged, wherever the
// names are at home: spec/listen.md §3.
func TestOffersComeBeforeTheAck(t *testing.T) {
	r := startRig(t, defaults(8))
	r.login("s")
	r.login("p")
	r.fence()
	r.send("s", "EVENT SUBSCRIBE names=[n1 n2 n3 n4 n5 n6 n7 n8 n9]")
	r.fence()
	for range 50 {
		r.send("p", "EVENT LISTEN name=n")
		got := r.fence()
		if len(got) != 10 || got[9] != `p <- EVENT LISTEN isAck name="n"` {
			t.Fatalf("got %q, want 9 offers and then the ack", got)
		}
		r.send("p", "EVENT UNLISTEN name=n")
		r.fence()
	}
}
