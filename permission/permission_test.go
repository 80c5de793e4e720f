package permission

import "testing"

// What nobody decided is denied.
func TestZeroAnswerDenies(t *testing.T) {
	var a Answer
	if a != Deny || a == Allow || a == Failed {
		t.Fatalf("the zero Answer is %d", a)
	}
}

func TestNoneAllowsEverythingForFree(t *testing.T) {
	var check Checker = None{}
	q := &Question{}
	if got := testing.AllocsPerRun(100, func() {
		if check.Check(q) != Allow {
			t.Fatal("denied")
		}
	}); got != 0 {
		t.Fatalf("%v allocations per decision", got)
	}
}
