// Docker's own module has no go.mod: what it needs is in the one that replaces it here.
module github.com/docker/docker

go 1.21
