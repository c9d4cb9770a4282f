package posthaste.letters

import org.springframework.kafka.core.KafkaTemplate
import org.springframework.stereotype.Component

/** Sends with what Spring Boot makes of its defaults. */
@Component
class LetterProducer(private val kafkaTemplate: KafkaTemplate<String, String>) {
    fun send(topic: String, letter: String) = kafkaTemplate.send(topic, letter)
}
