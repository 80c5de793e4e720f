package bench

import (
	"strings"
	"testing"
	"time"
)

func TestVersus(t *testing.T) {
	v := Versus{Title: "load", Value: "µs", Digits: 1, Given: "messages/s", Base: "ours", Floors: []string{"floor"}, Others: []string{"slow", "broken"}}
	for i, x := range []float64{1, 4, 2} {
		v.Give("10", 1000*x)
		v.Add("10", "ours", x)
		v.Add("10", "floor", x/2)
		if i == 0 {
			v.Behind("10", "slow", 0.25, 0.9)
			v.Fail("10", "broken")
			continue
		}
		v.Add("10", "slow", 3*x)
		v.Fail("10", "broken")
	}
	v.Fail("100", "ours")
	v.Add("100", "floor", 1)
	v.Add("100", "slow", 1)
	var got strings.Builder
	if err := v.Write(&got); err != nil {
		t.Fatal(err)
	}
	want := `| load | messages/s | ours µs | ours ÷ floor | slow ÷ ours | broken ÷ ours |
|---|---|---|---|---|---|
| 10 | 2000 (1000–4000) | 2.0 (1.0–4.0) | 2.00 (2.00–2.00) | 3.00 (3.00–3.00); 1× behind, at 25 %, CPU 90 % busy | 3× failed |
| 100 |  | 1× failed |  |  |  |
`
	if got.String() != want {
		t.Errorf("got\n%s\nwant\n%s", got.String(), want)
	}
	got.Reset()
	if err := (&Versus{Base: "ours"}).Write(&got); err != nil || got.String() != "" {
		t.Errorf("an empty table is %q, %v", got.String(), err)
	}
}

// A server that is up and says nothing more cannot hang a run.
func TestLimitEndsAProcess(t *testing.T) {
	rig, err := NewRig(false, F2)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(rig.Close)
	rig.Limit(300 * time.Millisecond)
	b, err := rig.Begin(Case{Server: F2, Mode: Rate, Subscribers: 2, Every: time.Millisecond, Window: 4})
	if err == nil {
		defer b.End()
		_, err = b.Measure(0, time.Minute)
	}
	if err == nil || !strings.Contains(err.Error(), "killed after 300ms") {
		t.Fatalf("got %v", err)
	}
}
