package server

import (
	"crypto/rand"
	"os"
	"strings"
	"sync/atomic"
)

// readiness says whether the server takes clients.
type readiness = atomic.Bool

// roomMade says that the process has Ps for the workers of authentication.
var roomMade atomic.Bool

func envSet(name string) bool {
	_, ok := os.LookupEnv(name)
	return ok
}

func randomText() string { return strings.ToLower(rand.Text()[:10]) }
