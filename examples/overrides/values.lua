-- Own chart values: everything that chart/values.yaml has may be set here; what is not named keeps its default.
return {
    values = {
        frontend = { service = { nodePort = 30090 } }, -- 30080 is taken on this machine
        backend = { replicaCount = 2 },
        config = { logLevel = "debug", debug = "true" },
    },
}
