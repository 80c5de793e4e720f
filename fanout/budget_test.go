package fanout

import "testing"

// A publication to subscribers on other loops costs them one mail each and no allocation, as one to the
// own loop: a slab of frames now and then is all.
func TestRemotePublishAllocatesNothing(t *testing.T) {
	out := &sink{}
	f, subs := newFanout(out)
	for slot := range uint32(10_000) {
		subscribe(t, subs[0], "ex", slot)
		subscribe(t, subs[2], "ex", slot)
	}
	m, key := emit("x", "1"), []byte("ex")
	const publishes = 300
	got := testing.AllocsPerRun(10, func() {
		for range publishes {
			f.Publish(key, 0, m)
		}
	})
	if got > 1 {
		t.Errorf("%v allocations for %d publishes to two other loops, want at most 1", got, publishes)
	}
	if want := 11 * publishes * 2; out.deliveries != want { // AllocsPerRun warms up once
		t.Errorf("%d mails, want %d", out.deliveries, want)
	}
}

// What arrives from another loop is handed to the connections without an allocation.
func TestDeliverAllocatesNothing(t *testing.T) {
	posted := &outputs{}
	f, subs := newFanout(posted)
	subscribe(t, subs[0], "ex", 1, 2, 3)
	f.Publish([]byte("ex"), 0, emit("x", "1"))
	if len(posted.calls) != 1 || posted.calls[0].loop != 0 {
		t.Fatalf("posted %v, want one mail for loop 0", posted.calls)
	}
	mail, out := posted.calls[0], &sink{}
	other := New(0, f.table, subs[0], out)
	if got := testing.AllocsPerRun(100, func() { other.Deliver(mail.ref, mail.except, mail.frame) }); got != 0 {
		t.Errorf("%v allocations for a mail", got)
	}
	if out.deliveries != 101*3 {
		t.Errorf("%d deliveries, want %d", out.deliveries, 101*3)
	}
}
