package server

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"time"

	"deepstream-fast/config"
)

// healthTimeout bounds the question of a health check.
const healthTimeout = 3 * time.Second

// AskHealth asks the server that runs with cfg on this machine whether it takes clients.
func AskHealth(ctx context.Context, cfg *config.Config) error {
	ctx, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	o := &cfg.HTTPServer.Options
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, healthURL(o), nil)
	if err != nil {
		return fmt.Errorf("health: %w", err)
	}
	if o.HostURL != "" {
		request.Host = o.HostURL
	}
	if !o.AllowAllOrigins && len(o.Origins) > 0 { // the health check is no exception, as in the official server
		request.Header.Set("Origin", o.Origins[0])
	}
	client := http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		// The certificate is for the name that clients use, and we ask an address of this machine.
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
	}}
	answer, err := client.Do(request)
	if err != nil {
		return fmt.Errorf("health: %w", err)
	}
	_ = answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("health: %s", answer.Status)
	}
	return nil
}

// healthURL returns where the health check is answered.
func healthURL(o *config.HTTPServerOptions) string {
	host, scheme := o.Host, "http"
	switch ip := net.ParseIP(host); { // by number: an image without /etc/hosts knows no localhost
	case host == "" || ip.IsUnspecified() && ip.To4() != nil:
		host = "127.0.0.1"
	case ip.IsUnspecified():
		host = "::1"
	}
	if o.SSL.Enabled() {
		scheme = "https"
	}
	return scheme + "://" + net.JoinHostPort(host, strconv.Itoa(o.Port)) + o.HealthCheckPath
}
