package session

import (
	"testing"

	"deepstream-fast/lazyjson"
)

// Documents are looked into for patches and for nothing else: events, whole updates and reads are
// checked when they come in, and copied from then on.
func TestNothingIsParsedButPatches(t *testing.T) {
	onSeveralNodes(t, func(t *testing.T, o rigOptions) {
		r := startRig(t, o)
		r.login("a")
		r.fence()
		want := map[lazyjson.Reason]uint64{}
		check := func(text string, reason lazyjson.Reason) {
			t.Helper()
			before := map[lazyjson.Reason]uint64{}
			for _, why := range lazyjson.Reasons() {
				before[why] = r.node.Parses(why)
			}
			r.send("a", text)
			r.fence()
			clear(want)
			want[reason] = 1
			for _, why := range lazyjson.Reasons() {
				if why == lazyjson.ReasonValidate {
					continue
				}
				if n := r.node.Parses(why) - before[why]; n != want[why] {
					t.Errorf("%s: looked into %d documents to %s, want %d", text, n, why, want[why])
				}
			}
		}
		const none = lazyjson.ReasonValidate
		check(`EVENT SUBSCRIBE correlationId=1 names=[e]`, none)
		check(`EVENT EMIT name=e data={"a":1}`, none)
		check(`RECORD SUBSCRIBECREATEANDREAD correlationId=2 names=[r]`, none)
		check(`RECORD UPDATE name=r version=1 data={"a":{"b":1}}`, none)
		check(`RECORD READ name=r`, none)
		check(`RECORD HEAD name=r`, none)
		check(`RECORD PATCH name=r version=2 path=a.b data=2`, lazyjson.ReasonPatch)
		check(`RECORD ERASE name=r version=3 path=a.b`, lazyjson.ReasonPatch)
		check(`RECORD UPDATE name=r version=3 data={}`, none)
		if r.node.Parses(none) == 0 {
			t.Error("nothing was ever checked")
		}
	})
}
