package server

import (
	"crypto/rand"
	"os"
	"strings"
	"sync/atomic"
)

// readiness says whether the server takes clients.
type readiness = atomic.Bool

func envSet(name string) bool {
	_, ok := os.LookupEnv(name)
	return ok
}

func randomText() string { return strings.ToLower(rand.Text()[:10]) }
