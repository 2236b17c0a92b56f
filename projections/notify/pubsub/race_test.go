//go:build race

package pubsub_test

func init() { raceDetector = true }
