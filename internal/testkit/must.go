package testkit

import "fmt"

// Must returns v, or panics if err is set: for steps of a test that cannot fail unless the test
// itself is wrong.
func Must[T any](v T, err error) T {
	if err != nil {
		panic(fmt.Sprintf("testkit: %v", err))
	}
	return v
}
