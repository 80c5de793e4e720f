package session

import (
	"testing"
	"unsafe"
)

// What every connection costs in this package: its state by slot, beside a timer of the engine's wheel.
func TestSizes(t *testing.T) {
	for _, s := range []struct {
		name      string
		size, max uintptr
	}{
		{"conn", unsafe.Sizeof(conn{}), 48},
		{"login", unsafe.Sizeof(login{}), 80},
		{"packet", unsafe.Sizeof(packet{}), 56},
	} {
		if s.size > s.max {
			t.Errorf("%s takes %d bytes, at most %d are allowed", s.name, s.size, s.max)
		}
	}
}
