// Package ext stands in for the extension points of Traefik's dynamic configuration.
package ext

// HTTP adds nothing to the HTTP part of the configuration.
type HTTP struct{}

// Router adds nothing to a router.
type Router struct{}
